"""`base.metrics`: histograms and the text that Prometheus reads."""

from libreims.base.metrics import Family, Histogram, Sample, counter, exposition, gauge, labelled


def test_a_bucket_counts_what_is_below_it_too() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 1.0, 7.0):
        histogram.observe(value)
    assert histogram.count == 5
    assert exposition([histogram.family("latency_seconds", "How long.")]) == (
        "# HELP latency_seconds How long.\n"
        "# TYPE latency_seconds histogram\n"
        'latency_seconds_bucket{le="0.1"} 2\n'
        'latency_seconds_bucket{le="1"} 4\n'
        'latency_seconds_bucket{le="+Inf"} 5\n'
        "latency_seconds_sum 8.65\n"
        "latency_seconds_count 5\n"
    )


def test_names_labels_and_numbers() -> None:
    families = [
        gauge("a", "One.\nTwo\\.", 2),
        counter("b_total", "B.", 0.25),
        labelled("c", "gauge", "C.", "name", {'x"\\\n': 1.0, "y": 1e9}),
        Family("d", "gauge", "D.", (Sample(1, (("p", "1"), ("q", "2"))),)),
        labelled("e", "counter", "E.", "name", {}),
    ]
    assert exposition(families) == (
        "# HELP a One.\\nTwo\\\\.\n# TYPE a gauge\na 2\n"
        "# HELP b_total B.\n# TYPE b_total counter\nb_total 0.25\n"
        '# HELP c C.\n# TYPE c gauge\nc{name="x\\"\\\\\\n"} 1\nc{name="y"} 1000000000\n'
        '# HELP d D.\n# TYPE d gauge\nd{p="1",q="2"} 1\n'
        "# HELP e E.\n# TYPE e counter\n"
    )
