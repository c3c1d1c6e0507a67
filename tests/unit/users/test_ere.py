from __future__ import annotations

import pytest

from libreims.users.ere import compile_ere


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"^\+33", "+33123", True),
        (r"^\+33", "33123", False),
        (r"^\\+33", "+33", False),
        (r"^[[:digit:]]{3}$", "112", True),
        (r"^[[:digit:]]{3}$", "1124", False),
        (r"[^[:alpha:]_]", "abc_", False),
        (r"[]a]", "]", True),
        (r"[^]a]", "]", False),
        (r"[a-c-]", "-", True),
        (r"^[\d]$", "\\", True),
        (r"^[\d]$", "5", False),
        (r"^\$echo", "$echo1", True),
        (r"\.", "a", False),
        (r"^(06|07)[0-9]{8}$", "0612345678", True),
        (r"^a{,2}$", "aaa", False),
        (r"^a{2,}$", "aaa", True),
        (r"^ab{2}$", "abb", True),
        (r"^a+?$", "", True),
        (r"^a++$", "aaa", True),
        (r"^(ab)*+c", "ababc", True),
        (r"^*a", "*a", True),
        (r"a|^b", "xb", False),
        (r"a$", "a\n", False),
        (r"^a.b$", "a\nb", True),
        (r"^{", "{", True),
        (r"a{x", "a{x", True),
        (r"\<echo\>", "my echo 1", True),
        (r"\<echo\>", "echoes", False),
        (r"[[.-.]]", "-", True),
        (r"[[=a=]]", "a", True),
        (r"a)", "a)", True),
        (r"[^-z]", "-", False),
        (r"(?", "?", False),
    ],
)
def test_language(pattern: str, text: str, matches: bool) -> None:
    if pattern == "(?":
        with pytest.raises(ValueError):
            compile_ere(pattern)
        return
    assert (compile_ere(pattern).search(text) is not None) is matches


@pytest.mark.parametrize(
    "pattern", ["(", "[", "[a", "a\\", "[[:nope:]]", "[[:digit", "(a)\\1", "a{2,1}", "[z-a]"]
)
def test_errors_name_the_expression(pattern: str) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        compile_ere(pattern)
