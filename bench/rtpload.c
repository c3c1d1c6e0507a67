/* RTP load for a relay, one thread, batched socket calls.   cc -O2 -o rtpload rtpload.c
 *
 *   rtpload A_PORT B_PORT RATE SECONDS SIZE < PORTS
 *
 * PORTS has a line "RA RB" for each call: what is sent from A_PORT to RA has to come out at B_PORT, and
 * what is sent from B_PORT to RB at A_PORT.  All is on 127.0.0.1.  RATE: packets per second offered, all
 * calls and both directions together.  SIZE: octets of a packet, at least 32.
 * Prints one JSON line: packets sent and received, wrong (changed on the way), latency in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, CALLS = 16384, LONGEST = 1500, SLOTS = 20000, SLOT_US = 10 };

static uint64_t received, wrong, latency[SLOTS];
static uint32_t run;
static int size;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int bound(int port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = 32 << 20;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (bind(fd, (struct sockaddr *)&a, sizeof a)) {
        perror("bind");
        exit(1);
    }
    return fd;
}

/* A packet: RTP header, run number at 12, time of sending at 16, a sum over both and the header at 24. */
static uint64_t sum(const uint8_t *p)
{
    uint64_t h = 14695981039346656037u;
    for (int i = 0; i < 24; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

static int drain(int fd)
{
    static struct mmsghdr m[BATCH];
    static struct iovec v[BATCH];
    static uint8_t b[BATCH][LONGEST];
    for (int i = 0; i < BATCH; i++) {
        v[i] = (struct iovec){b[i], LONGEST};
        m[i].msg_hdr.msg_iov = v + i;
        m[i].msg_hdr.msg_iovlen = 1;
    }
    int total = 0, n;
    while ((n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, 0)) > 0) {
        double t = now(), sent;
        for (int i = 0; i < n; i++) {
            uint32_t number;
            uint64_t s = sum(b[i]);
            memcpy(&number, b[i] + 12, 4);
            if ((int)m[i].msg_len != size || number != run || memcmp(&s, b[i] + 24, 8)) {
                wrong++;
                continue;
            }
            memcpy(&sent, b[i] + 16, 8);
            int slot = (t - sent) * 1e6 / SLOT_US;
            latency[slot < 0 ? 0 : slot >= SLOTS ? SLOTS - 1 : slot]++;
            received++;
        }
        total += n;
    }
    return total;
}

static int percentile(double share)
{
    uint64_t seen = 0;
    for (int i = 0; i < SLOTS; i++)
        if ((seen += latency[i]) >= share * received)
            return i * SLOT_US;
    return SLOTS * SLOT_US;
}

int main(int argc, char **argv)
{
    static struct sockaddr_in to[2][CALLS];
    static uint16_t sequence[2][CALLS];
    static uint8_t packet[BATCH][LONGEST];
    int calls = 0, ra, rb;
    if (argc != 6 || (size = atoi(argv[5])) < 32 || size > LONGEST) {
        fprintf(stderr, "usage: rtpload A_PORT B_PORT RATE SECONDS SIZE < PORTS\n");
        return 2;
    }
    double rate = atof(argv[3]), seconds = atof(argv[4]);
    while (calls < CALLS && scanf("%d %d", &ra, &rb) == 2) {
        to[0][calls] = loopback(ra);
        to[1][calls++] = loopback(rb);
    }
    if (!calls)
        return 2;
    int fd[2] = {bound(atoi(argv[1])), bound(atoi(argv[2]))};
    run = (uint32_t)(now() * 1e6) ^ getpid();

    struct mmsghdr m[BATCH] = {0};
    struct iovec v[BATCH];
    uint64_t sent = 0, next[2] = {0, 0};
    int side = 0;
    double start = now(), t;
    while ((t = now()) - start < seconds) {
        uint64_t due = (t - start) * rate;
        while (sent < due) {
            int n = due - sent > BATCH ? BATCH : due - sent;
            for (int i = 0; i < n; i++) {
                int call = next[side]++ % calls;
                uint8_t *p = packet[i];
                uint16_t seq = htons(sequence[side][call]++);
                uint32_t timestamp = htonl(sequence[side][call] * 160u), ssrc = htonl(side << 24 | call);
                double sending = now();
                p[0] = 0x80;
                memcpy(p + 2, &seq, 2);
                memcpy(p + 4, &timestamp, 4);
                memcpy(p + 8, &ssrc, 4);
                memcpy(p + 12, &run, 4);
                memcpy(p + 16, &sending, 8);
                uint64_t s = sum(p);
                memcpy(p + 24, &s, 8);
                v[i] = (struct iovec){p, size};
                m[i].msg_hdr = (struct msghdr){.msg_iov = v + i, .msg_iovlen = 1};
                m[i].msg_hdr.msg_name = &to[side][call];
                m[i].msg_hdr.msg_namelen = sizeof to[side][call];
            }
            for (int done = 0, k; done < n; done += k)
                if ((k = sendmmsg(fd[side], m + done, n - done, 0)) < 0)
                    k = 0;
            sent += n;
            side ^= 1;
            drain(fd[0]);
            drain(fd[1]);
        }
        if (!(drain(fd[0]) + drain(fd[1])))
            usleep(300);
    }
    double quiet = now();
    while (now() - quiet < .3)
        if (drain(fd[0]) + drain(fd[1]))
            quiet = now();
        else
            usleep(1000);
    printf("{\"sent\": %lu, \"received\": %lu, \"wrong\": %lu, \"p50\": %d, \"p99\": %d}\n",
           sent, received, wrong, percentile(.5), percentile(.99));
    return 0;
}
