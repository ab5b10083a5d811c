/* udp-probe ADDRESS PORT INTERVAL_US: sends numbered datagrams from one socket until its input ends, waits for the last
 * answers, and prints what came of them as one JSON object. An outage lasts from the last answered number before it to
 * the first answered one after it, by the times of sending. */
#define _GNU_SOURCE
#include "lab-tool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LAST_ANSWERS_US 500000
#define MAX_PODS 64
#define MAX_OUTAGES 200

struct number {
  int64_t sent_us;
  int32_t rtt_us; /* -1: not answered */
};

struct pod {
  struct echo echo;
  long answers;
  int64_t first_us, last_us;
};

static struct number *numbers;
static long sent, allocated, answered, duplicates, foreign;
static struct pod pods[MAX_PODS];
static int pod_count;
static int64_t begun_us, worst_delay_us;

static void note_pod(const struct echo *echo, int64_t now) {
  int i = 0;
  while (i < pod_count && (strcmp(pods[i].echo.pod, echo->pod) != 0 || strcmp(pods[i].echo.source, echo->source) != 0)) i++;
  if (i == MAX_PODS) return;
  if (i == pod_count) pods[pod_count++] = (struct pod){.echo = *echo, .first_us = now - begun_us};
  pods[i].answers++;
  pods[i].last_us = now - begun_us;
}

static void receive(int fd) {
  char text[600];
  for (ssize_t got; (got = recv(fd, text, sizeof text - 1, MSG_DONTWAIT)) >= 0 || errno == ECONNREFUSED || errno == EHOSTUNREACH;) {
    if (got < 0) continue;
    int64_t now = monotonic_us();
    struct echo echo;
    text[got] = '\0';
    char *end;
    long number = parse_echo(text, &echo) ? strtol(echo.payload, &end, 10) : -1;
    if (number < 0 || number >= sent) {
      foreign++;
    } else if (numbers[number].rtt_us >= 0) {
      duplicates++;
    } else {
      numbers[number].rtt_us = (int32_t)(now - numbers[number].sent_us);
      answered++;
      note_pod(&echo, now);
    }
  }
}

static void send_next(int fd, int64_t due) {
  char text[32];
  if (sent == allocated) {
    allocated = allocated == 0 ? 65536 : allocated * 2;
    numbers = realloc(numbers, allocated * sizeof *numbers);
    if (numbers == NULL) fail("out of memory");
  }
  int64_t now = monotonic_us();
  if (now - due > worst_delay_us) worst_delay_us = now - due;
  numbers[sent] = (struct number){.sent_us = now, .rtt_us = -1};
  int size = snprintf(text, sizeof text, "%ld\n", sent++);
  /* A refused datagram is a lost one, and so is one for which there is no room: while the kernel looks for the target's
   * MAC, it keeps some, and would let the sender wait. */
  while (send(fd, text, size, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED) continue;
}

struct outage {
  int64_t at_us, length_us;
  long lost;
};

static int longer(const void *a, const void *b) {
  int64_t left = ((const struct outage *)a)->length_us, right = ((const struct outage *)b)->length_us;
  return left < right ? 1 : left > right ? -1 : 0;
}

static long find_outages(struct outage **out) {
  long count = 0, capacity = 0;
  *out = NULL;
  for (long i = 0; i < sent;) {
    if (numbers[i].rtt_us >= 0) {
      i++;
      continue;
    }
    long first = i;
    while (i < sent && numbers[i].rtt_us < 0) i++;
    int64_t from = numbers[first > 0 ? first - 1 : 0].sent_us, to = numbers[i < sent ? i : sent - 1].sent_us;
    if (count == capacity) *out = realloc(*out, (capacity = capacity * 2 + 64) * sizeof **out);
    if (*out == NULL) fail("out of memory");
    (*out)[count++] = (struct outage){.at_us = from - begun_us, .length_us = to - from, .lost = i - first};
  }
  qsort(*out, count, sizeof **out, longer);
  return count;
}

static int smaller(const void *a, const void *b) { return *(const int32_t *)a - *(const int32_t *)b; }

static void report(int64_t begun_at_us) {
  struct outage *outages;
  long count = find_outages(&outages);
  int32_t *rtts = malloc((answered + 1) * sizeof *rtts);
  long n = 0;
  for (long i = 0; i < sent; i++)
    if (numbers[i].rtt_us >= 0) rtts[n++] = numbers[i].rtt_us;
  qsort(rtts, n, sizeof *rtts, smaller);
  printf("{\"startedAt\":%.3f,\"durationMs\":%.3f,\"sent\":%ld,\"answered\":%ld,\"lost\":%ld,\"duplicates\":%ld,\"foreign\":%ld,", begun_at_us / 1e3,
         sent == 0 ? 0 : (numbers[sent - 1].sent_us - begun_us) / 1e3, sent, answered, sent - answered, duplicates, foreign);
  printf("\"worstSendDelayMs\":%.3f,\"rttP50Ms\":%.3f,\"rttP99Ms\":%.3f,", worst_delay_us / 1e3, n == 0 ? 0 : rtts[n / 2] / 1e3,
         n == 0 ? 0 : rtts[n * 99 / 100] / 1e3);
  printf("\"longestOutageMs\":%.3f,\"outageCount\":%ld,\"outages\":[", count == 0 ? 0 : outages[0].length_us / 1e3, count);
  for (long i = 0; i < count && i < MAX_OUTAGES; i++)
    printf("%s{\"atMs\":%.3f,\"ms\":%.3f,\"lost\":%ld}", i == 0 ? "" : ",", outages[i].at_us / 1e3, outages[i].length_us / 1e3, outages[i].lost);
  printf("],\"pods\":[");
  for (int i = 0; i < pod_count; i++)
    printf("%s{\"pod\":\"%s\",\"node\":\"%s\",\"source\":\"%s\",\"answers\":%ld,\"firstMs\":%.3f,\"lastMs\":%.3f}", i == 0 ? "" : ",", pods[i].echo.pod,
           pods[i].echo.node, pods[i].echo.source, pods[i].answers, pods[i].first_us / 1e3, pods[i].last_us / 1e3);
  printf("]}\n");
}

int udp_probe_main(int argc, char **argv) {
  if (argc != 4) fail("usage: lab-tool udp-probe ADDRESS PORT INTERVAL_US");
  struct sockaddr_storage target;
  socklen_t length = parse_address(argv[1], argv[2], &target);
  int64_t interval = parse_number("interval", argv[3], 100);
  int fd = socket(target.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&target, length) != 0) fail("connect to %s: %s", argv[1], strerror(errno));
  schedule_realtime();
  printf("started\n");
  fflush(stdout);
  begun_us = monotonic_us();
  int64_t begun_at_us = realtime_us(), due = begun_us, end = INT64_MAX;
  for (;;) {
    bool ending = end != INT64_MAX;
    struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = ending ? -1 : STDIN_FILENO, .events = POLLIN}};
    struct timespec wait = until(ending ? end : due);
    ppoll(polls, 2, &wait, NULL);
    receive(fd);
    if (!ending && polls[1].revents != 0 && input_ended()) end = monotonic_us() + LAST_ANSWERS_US;
    int64_t now = monotonic_us();
    if (end != INT64_MAX) {
      if (now >= end || answered == sent) break;
    } else if (now >= due) {
      send_next(fd, due);
      due += interval;
      if (now > due) due = now + interval; /* what was missed is not made up for in a burst */
    }
  }
  report(begun_at_us);
  return 0;
}
