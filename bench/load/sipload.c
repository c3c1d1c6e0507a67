/* SIP load over UDP on loopback: one thread, batched socket calls, closed loop.   cc -O2 -o sipload sipload.c -lm
 *
 *   sipload register|call [--port 5060] [--caller 5070] [--callee 5090] [--users 1000] [--first 0]
 *           [--window 50] [--seconds 3] [--count N] [--domain ims.test] [--password secret]
 *
 * --port is the server's, --caller and --callee are ours; all of them are on 127.0.0.1.  Users are called
 * u0000000 and so on.  `register` lets the users --first ... --first + --users - 1 register in turn from
 * --caller: REGISTER, 401, REGISTER with MD5 digest, 200, again and again with growing CSeq.  `call` lets user
 * n call user --users + n, who is at --callee; all of them have to be registered: INVITE with SDP, 100, 180,
 * 200, ACK, BYE, 200, hung up as soon as it is answered.
 *
 * There are never more than --window registrations or calls at once.  The run ends after --seconds or after
 * --count of them, and in any case after a minute.  A request without an answer is sent again after half a second,
 * four times.  One JSON line tells what happened: "ok" and "failed" count registrations or calls, "set_up" is
 * from the first request to the last 200 (register) or to the 200 of the INVITE (call), in milliseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, LONGEST = 4096, MOST_WINDOW = 4096, MOST_USERS = 1000000, MOST_SECONDS = 60, SAMPLES = 1 << 20 };
enum step { FREE, FIRST, ANSWERED, RINGING, BYE };

/* A registration or a call under way. `turn` tells it from the earlier ones in the same place. */
struct session {
    enum step step;
    uint32_t turn, user, cseq;
    int sent, length;
    double began, last;
    char request[LONGEST];
};

struct batch {
    int fd, count;
    struct mmsghdr header[BATCH];
    struct iovec part[BATCH];
    char data[BATCH][LONGEST];
};

static struct sockaddr_in server;
static struct batch caller, callee;
static const char *domain = "ims.test", *password = "secret";
static int server_port = 5060, caller_port = 5070, callee_port = 5090;
static uint32_t users = 1000, first_user, window = 50, run;
static struct session *sessions;
static uint32_t *unused, unused_count;
static uint64_t started, ok, failed, retransmitted, unexpected, limit = UINT64_MAX;
static float samples[SAMPLES];
static uint64_t sample_count;
static int calls;

static const char SDP[] =
    "v=0\r\no=- 3895172837 3895172837 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nb=AS:41\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 104 102 110\r\nb=RS:512\r\nb=RR:1537\r\n"
    "a=rtpmap:104 AMR-WB/16000/1\r\na=fmtp:104 mode-change-capability=2;max-red=0\r\n"
    "a=rtpmap:102 AMR/8000/1\r\na=fmtp:102 mode-change-capability=2;max-red=0\r\n"
    "a=rtpmap:110 telephone-event/16000\r\na=fmtp:110 0-15\r\na=sendrecv\r\na=ptime:20\r\na=maxptime:240\r\n";

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* ---- MD5, RFC 1321 ---- */

static uint32_t sines[64];

static void md5_block(uint32_t state[4], const uint8_t *block)
{
    static const uint8_t shift[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static const uint8_t factor[4] = {1, 5, 3, 7}, offset[4] = {0, 1, 5, 0};
    uint32_t word[16], a = state[0], b = state[1], c = state[2], d = state[3];
    memcpy(word, block, 64);
    for (int i = 0; i < 64; i++) {
        int round = i / 16;
        uint32_t mix = round == 0 ? (b & c) | (~b & d) : round == 1 ? (d & b) | (~d & c) : round == 2 ? b ^ c ^ d : c ^ (b | ~d);
        uint32_t sum = a + mix + sines[i] + word[(factor[round] * i + offset[round]) % 16];
        int by = shift[round][i % 4];
        a = d;
        d = c;
        c = b;
        b += sum << by | sum >> (32 - by);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

/* The digest of a formatted text of less than 1 kB, in 32 hexadecimal digits. */
__attribute__((format(printf, 2, 3))) static void md5(char *hex, const char *format, ...)
{
    uint8_t text[1152] = {0};
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    va_list list;
    va_start(list, format);
    uint64_t length = vsnprintf((char *)text, 1024, format, list), bits = length * 8, padded = (length + 72) / 64 * 64;
    va_end(list);
    text[length] = 0x80;
    memcpy(text + padded - 8, &bits, 8);
    for (uint64_t at = 0; at < padded; at += 64)
        md5_block(state, text + at);
    for (int i = 0; i < 16; i++)
        sprintf(hex + 2 * i, "%02x", ((uint8_t *)state)[i]);
}

/* ---- sockets ---- */

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void open_batch(struct batch *b, int port)
{
    struct sockaddr_in a = loopback(port);
    int size = 32 << 20;
    b->fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (setsockopt(b->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
        setsockopt(b->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(b->fd, (struct sockaddr *)&a, sizeof a))
        die("bind");
    for (int i = 0; i < BATCH; i++) {
        b->part[i].iov_base = b->data[i];
        b->header[i].msg_hdr = (struct msghdr){&server, sizeof server, b->part + i, 1, NULL, 0, 0};
    }
}

static void flush(struct batch *b)
{
    for (int done = 0; done < b->count;) {
        int n = sendmmsg(b->fd, b->header + done, b->count - done, 0);
        if (n > 0)
            done += n;
        else if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
            die("sendmmsg");
    }
    b->count = 0;
}

/* Room for one message to the server. */
static char *next_message(struct batch *b)
{
    if (b->count == BATCH)
        flush(b);
    return b->data[b->count];
}

static void queue(struct batch *b, int length)
{
    b->part[b->count++].iov_len = length < LONGEST ? length : LONGEST - 1;
}

/* ---- reading messages ---- */

/* The value of the first header of this name, up to the end of the line; NULL without one. */
static const char *field(const char *message, const char *name, int *length)
{
    size_t n = strlen(name);
    for (const char *line = message; (line = strchr(line, '\n')) && line[1] != '\r' && line[1];) {
        line++;
        if (strncasecmp(line, name, n) || line[n] != ':')
            continue;
        const char *value = line + n + 1 + strspn(line + n + 1, " ");
        *length = strcspn(value, "\r");
        return value;
    }
    return NULL;
}

/* A parameter of a challenge, without quotes; "" without one. */
static void parameter(const char *value, int length, const char *name, char *out, int room)
{
    size_t n = strlen(name);
    *out = 0;
    for (const char *at = value; at < value + length; at++) {
        if (strncasecmp(at, name, n) || at[n] != '=' || (at > value && !strchr(" ,", at[-1])))
            continue;
        at += n + 1;
        int quoted = *at == '"', end = strcspn(at + quoted, quoted ? "\"\r" : ", \r");
        snprintf(out, room, "%.*s", end, at + quoted);
        return;
    }
}

/* ---- what we start ---- */

static void transmit(struct session *s)
{
    memcpy(next_message(&caller), s->request, s->length);
    queue(&caller, s->length);
    s->last = now();
}

/* Via, Max-Forwards, From, Call-ID: what all requests have. The branch leads answers back to the session. */
static int head(struct session *s, char *out, const char *method, const char *uri, const char *call_id)
{
    return snprintf(out, LONGEST,
        "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;rport;branch=z9hG4bK%x.%x.%x.%x%c\r\nMax-Forwards: 70\r\n"
        "From: <sip:u%07u@%s>;tag=%x.%x\r\nCall-ID: %s\r\n",
        method, uri, caller_port, run, (unsigned)(s - sessions), s->turn, s->cseq, method[0], s->user, domain, run,
        calls ? s->turn * MOST_WINDOW + (unsigned)(s - sessions) : s->user, call_id);
}

static void send_register(struct session *s, const char *authorization)
{
    char uri[128], call_id[64];
    snprintf(uri, sizeof uri, "sip:%s", domain);
    snprintf(call_id, sizeof call_id, "%x-%u@127.0.0.1", run, s->user);
    int n = head(s, s->request, "REGISTER", uri, call_id);
    s->length = n + snprintf(s->request + n, LONGEST - n,
        "To: <sip:u%07u@%s>\r\nCSeq: %u REGISTER\r\nContact: <sip:u%07u@127.0.0.1:%d>;expires=3600;audio;"
        "+g.3gpp.icsi-ref=\"urn%%3Aurn-7%%3A3gpp-service.ims.icsi.mmtel\"\r\n%sSupported: path\r\n"
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010019b01\r\nUser-Agent: sipload\r\n"
        "Content-Length: 0\r\n\r\n",
        s->user, domain, s->cseq, s->user, caller_port, authorization);
    s->sent = 1;
    transmit(s);
}

static void answer_challenge(struct session *s, const char *message)
{
    int length;
    const char *value = field(message, "WWW-Authenticate", &length);
    char nonce[256], realm[128], qop[32], ha1[33], ha2[33], response[33], line[1024];
    if (!value) {
        unexpected++;
        return;
    }
    parameter(value, length, "nonce", nonce, sizeof nonce);
    parameter(value, length, "realm", realm, sizeof realm);
    parameter(value, length, "qop", qop, sizeof qop);
    /* The user name is the private identity, with the domain (TS 24.229 §5.1.1.2). */
    md5(ha1, "u%07u@%s:%s:%s", s->user, domain, realm, password);
    md5(ha2, "REGISTER:sip:%s", domain);
    if (*qop)
        md5(response, "%s:%s:00000001:0a4f113b:auth:%s", ha1, nonce, ha2);
    else
        md5(response, "%s:%s:%s", ha1, nonce, ha2);
    snprintf(line, sizeof line,
        "Authorization: Digest username=\"u%07u@%s\",realm=\"%s\",nonce=\"%s\",uri=\"sip:%s\",response=\"%s\","
        "algorithm=MD5%s\r\n",
        s->user, domain, realm, nonce, domain, response, *qop ? ",qop=auth,nc=00000001,cnonce=\"0a4f113b\"" : "");
    s->step = ANSWERED;
    s->cseq++;
    send_register(s, line);
}

static void call_name(struct session *s, char *out, size_t room)
{
    snprintf(out, room, "c%x-%x-%x@127.0.0.1", run, (unsigned)(s - sessions), s->turn);
}

static void send_invite(struct session *s)
{
    char uri[160], call_id[64];
    snprintf(uri, sizeof uri, "sip:u%07u@%s", users + s->user, domain);
    call_name(s, call_id, sizeof call_id);
    int n = head(s, s->request, "INVITE", uri, call_id);
    s->length = n + snprintf(s->request + n, LONGEST - n,
        "To: <%s>\r\nCSeq: 1 INVITE\r\nContact: <sip:u%07u@127.0.0.1:%d>\r\nSupported: timer\r\n"
        "P-Preferred-Identity: <sip:u%07u@%s>\r\n"
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010019b01\r\n"
        "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,PRACK,MESSAGE,OPTIONS\r\nUser-Agent: sipload\r\n"
        "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
        uri, s->user, caller_port, s->user, domain, (int)sizeof SDP - 1, SDP);
    s->sent = 1;
    transmit(s);
}

/* ACK or BYE after the 200 of the INVITE: to its Contact, over its Record-Route from the last to the first. */
static int in_dialog(struct session *s, const char *answer, const char *method, char *out)
{
    const char *routes[16];
    char uri[256] = "sip:unknown.invalid", call_id[64];
    int count = 0, length, n;
    const char *contact = field(answer, "Contact", &length), *to = field(answer, "To", &length);
    if (contact && (contact = strchr(contact, '<')))
        snprintf(uri, sizeof uri, "%.*s", (int)strcspn(contact + 1, ">\r"), contact + 1);
    call_name(s, call_id, sizeof call_id);
    n = head(s, out, method, uri, call_id);
    for (const char *at = answer; count < 16 && (at = field(at, "Record-Route", &length)); at += length)
        routes[count++] = at;
    while (count--)
        n += snprintf(out + n, LONGEST - n, "Route: %.*s\r\n", (int)strcspn(routes[count], "\r"), routes[count]);
    n += snprintf(out + n, LONGEST - n, "To: %.*s\r\nCSeq: %u %s\r\nUser-Agent: sipload\r\nContent-Length: 0\r\n\r\n",
        to ? (int)strcspn(to, "\r") : 0, to ? to : "", s->cseq, method);
    return n;
}

static void start(uint32_t place)
{
    struct session *s = sessions + place;
    s->step = FIRST;
    s->turn++;
    s->user = (calls ? 0 : first_user) + started % users;
    s->cseq = calls ? 1 : started / users * 2 + 1;
    s->began = now();
    started++;
    if (calls)
        send_invite(s);
    else
        send_register(s, "");
}

static void end(struct session *s, int good)
{
    good ? ok++ : failed++;
    s->step = FREE;
    unused[unused_count++] = s - sessions;
}

static void sample(struct session *s)
{
    if (sample_count < SAMPLES)
        samples[sample_count++] = (now() - s->began) * 1e3;
}

static void register_answered(struct session *s, int status, const char *message)
{
    if (s->step == FIRST && status == 401)
        answer_challenge(s, message);
    else if (s->step == ANSWERED && status == 200) {
        sample(s);
        end(s, 1);
    } else if (status >= 200 && !(s->step == ANSWERED && status == 401)) {
        unexpected++;
        end(s, 0);
    }
}

static void call_answered(struct session *s, int status, const char *method, const char *message)
{
    if (*method == 'I' && s->step != BYE) {
        s->step = RINGING;
        if (status < 200)
            return;
        queue(&caller, in_dialog(s, message, "ACK", next_message(&caller)));
        if (status != 200) {
            unexpected++;
            end(s, 0);
            return;
        }
        sample(s);
        s->step = BYE;
        s->cseq++;
        s->sent = 1;
        s->length = in_dialog(s, message, "BYE", s->request);
        transmit(s);
    } else if (*method == 'B' && s->step == BYE && status >= 200) {
        unexpected += status != 200;
        end(s, status == 200);
    }
}

static void on_caller(const char *message)
{
    unsigned id, place, turn;
    int length;
    const char *via = field(message, "Via", &length), *cseq = field(message, "CSeq", &length);
    const char *branch = via ? strstr(via, "branch=z9hG4bK") : NULL;
    if (strncmp(message, "SIP/2.0 ", 8) || !branch || !cseq || sscanf(branch + 14, "%x.%x.%x", &id, &place, &turn) != 3) {
        unexpected++;
        return;
    }
    if (id != run || place >= window || sessions[place].turn != turn || sessions[place].step == FREE)
        return; /* the answer to a retransmission, of something that is over */
    const char *method = cseq + strspn(cseq, "0123456789 ");
    if (calls)
        call_answered(sessions + place, atoi(message + 8), method, message);
    else if ((unsigned)atoi(cseq) == sessions[place].cseq)
        register_answered(sessions + place, atoi(message + 8), message);
}

/* ---- the phones that are called: they keep nothing ---- */

static void reply(const char *request, const char *line, const char *tag, int with_sdp)
{
    char *out = next_message(&callee);
    int n = snprintf(out, LONGEST, "SIP/2.0 %s\r\n", line);
    for (const char *at = strchr(request, '\n') + 1; *at && *at != '\r';) {
        int length = strcspn(at, "\r");
        if (!strncasecmp(at, "Via:", 4) || !strncasecmp(at, "Record-Route:", 13) || !strncasecmp(at, "From:", 5)
            || !strncasecmp(at, "Call-ID:", 8) || !strncasecmp(at, "CSeq:", 5))
            n += snprintf(out + n, LONGEST - n, "%.*s\r\n", length, at);
        else if (!strncasecmp(at, "To:", 3))
            n += snprintf(out + n, LONGEST - n, "%.*s%s\r\n", length, at, memmem(at, length, ";tag=", 5) ? "" : tag);
        at += length + 2;
    }
    n += snprintf(out + n, LONGEST - n, "Contact: <sip:callee@127.0.0.1:%d>\r\n%sContent-Length: %d\r\n\r\n%s", callee_port,
        with_sdp ? "Content-Type: application/sdp\r\n" : "", with_sdp ? (int)sizeof SDP - 1 : 0, with_sdp ? SDP : "");
    queue(&callee, n);
}

static void on_callee(const char *message)
{
    if (!strncmp(message, "INVITE ", 7)) {
        reply(message, "100 Trying", "", 0);
        reply(message, "180 Ringing", ";tag=callee", 0);
        reply(message, "200 OK", ";tag=callee", 1);
    } else if (!strncmp(message, "BYE ", 4))
        reply(message, "200 OK", "", 0);
    else if (strncmp(message, "ACK ", 4))
        unexpected++;
}

static int receive(struct batch *b, void (*handle)(const char *))
{
    static struct mmsghdr header[BATCH];
    static struct iovec part[BATCH];
    static char data[BATCH][LONGEST];
    for (int i = 0; i < BATCH; i++) {
        part[i] = (struct iovec){data[i], LONGEST - 1};
        header[i].msg_hdr = (struct msghdr){NULL, 0, part + i, 1, NULL, 0, 0};
    }
    int n = recvmmsg(b->fd, header, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        data[i][header[i].msg_len] = 0;
        handle(data[i]);
    }
    return n > 0 ? n : 0;
}

/* ---- the run ---- */

static void look_for_losses(double t)
{
    for (uint32_t i = 0; i < window; i++) {
        struct session *s = sessions + i;
        if (s->step == FREE || t - s->last < (s->step == RINGING ? 5 : 0.5))
            continue;
        if (s->step == RINGING || s->sent == 4) {
            end(s, 0);
            continue;
        }
        s->sent++;
        retransmitted++;
        transmit(s);
    }
}

static double load(double seconds)
{
    double began = now(), looked = began, t = began;
    while (unused_count < window || (started < limit && t - began < seconds)) {
        while (unused_count && started < limit && t - began < seconds)
            start(unused[--unused_count]);
        flush(&caller);
        flush(&callee);
        int got = receive(&caller, on_caller);
        if (calls)
            got += receive(&callee, on_callee);
        t = now();
        if (t - looked > 0.1)
            look_for_losses(looked = t);
        if (t - began > MOST_SECONDS)
            break;
        if (!got && !caller.count && !callee.count) {
            struct pollfd ready[2] = {{caller.fd, POLLIN, 0}, {callee.fd, POLLIN, 0}};
            poll(ready, calls ? 2 : 1, 20);
        }
    }
    for (uint32_t i = 0; i < window; i++)
        if (sessions[i].step != FREE)
            end(sessions + i, 0);
    return t - began;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double bounded(const char *text, double least, double most)
{
    double value = atof(text);
    if (value >= least && value <= most)
        return value;
    fprintf(stderr, "%s is not in %g...%g\n", text, least, most);
    exit(2);
}

int main(int count, char **arguments)
{
    double seconds = 3;
    if (count < 2 || (strcmp(arguments[1], "register") && strcmp(arguments[1], "call"))) {
        fprintf(stderr, "usage: sipload register|call [options]; they are explained in the head of sipload.c\n");
        return 2;
    }
    calls = *arguments[1] == 'c';
    for (int i = 2; i < count; i += 2) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : "";
        if (!strcmp(name, "--port"))
            server_port = bounded(value, 1, 65535);
        else if (!strcmp(name, "--caller"))
            caller_port = bounded(value, 1, 65535);
        else if (!strcmp(name, "--callee"))
            callee_port = bounded(value, 1, 65535);
        else if (!strcmp(name, "--users"))
            users = bounded(value, 1, MOST_USERS);
        else if (!strcmp(name, "--first"))
            first_user = bounded(value, 0, MOST_USERS);
        else if (!strcmp(name, "--window"))
            window = bounded(value, 1, MOST_WINDOW);
        else if (!strcmp(name, "--seconds"))
            seconds = bounded(value, 0.1, MOST_SECONDS);
        else if (!strcmp(name, "--count"))
            limit = bounded(value, 1, MOST_USERS);
        else if (!strcmp(name, "--domain"))
            domain = value;
        else if (!strcmp(name, "--password"))
            password = value;
        else {
            fprintf(stderr, "unknown option %s\n", name);
            return 2;
        }
    }
    if (window > users)
        window = users; /* nobody registers or calls twice at a time */
    for (int i = 0; i < 64; i++)
        sines[i] = (uint32_t)(int64_t)floor(fabs(sin(i + 1)) * 4294967296.0);
    run = (uint32_t)(now() * 1e6) ^ (uint32_t)getpid() << 20;
    server = loopback(server_port);
    open_batch(&caller, caller_port);
    if (calls)
        open_batch(&callee, callee_port);
    sessions = calloc(window, sizeof *sessions);
    unused = calloc(window, sizeof *unused);
    if (!sessions || !unused)
        die("calloc");
    while (unused_count < window) {
        unused[unused_count] = window - 1 - unused_count;
        unused_count++;
    }
    struct timespec cpu;
    double took = load(seconds);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf("{\"ok\": %lu, \"failed\": %lu, \"retransmitted\": %lu, \"unexpected\": %lu, \"seconds\": %.3f, "
           "\"set_up_p50\": %.3f, \"set_up_p99\": %.3f, \"generator_cpu\": %.6f}\n",
        ok, failed, retransmitted, unexpected, took, sample_count ? samples[sample_count / 2] : 0,
        sample_count ? samples[sample_count * 99 / 100] : 0, cpu.tv_sec + cpu.tv_nsec * 1e-9);
    return 0;
}
