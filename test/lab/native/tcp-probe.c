/* tcp-probe ADDRESS PORT CONNECTIONS INTERVAL_MS: opens connections, keeps them, and on each sends a line INTERVAL_MS
 * after the last one was answered, until its input ends; then prints what came of them as one JSON object. */
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
#define BROKEN 40

struct connection {
  int fd;
  bool connected;
  int64_t opened_us, next_us, waiting_us; /* waiting_us: since when an answer is missing, or 0 */
  int64_t broken_us;
  const char *broken; /* how it ended, or NULL */
  long messages;
  int64_t stall_us, stalled_at_us;
  size_t used;
  char line[600];
  struct echo echo;
};

static int64_t begun_us, interval_us;

static void stalled(struct connection *one, int64_t now) {
  if (now - one->waiting_us <= one->stall_us) return;
  one->stall_us = now - one->waiting_us;
  one->stalled_at_us = one->waiting_us - begun_us;
}

static void broke(struct connection *one, const char *how) {
  one->broken = how;
  one->broken_us = monotonic_us() - begun_us;
  close(one->fd);
  one->fd = -1;
}

static const char *why(int error) {
  if (error == ECONNRESET || error == EPIPE) return "reset";
  if (error == ECONNREFUSED) return "refused";
  if (error == ETIMEDOUT) return "timeout";
  return "unreachable";
}

static void readable(struct connection *one) {
  ssize_t got = recv(one->fd, one->line + one->used, sizeof one->line - 1 - one->used, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return broke(one, got == 0 ? "closed" : why(errno));
  one->used += got;
  one->line[one->used] = '\0';
  if (strchr(one->line, '\n') == NULL) return;
  int64_t now = monotonic_us();
  parse_echo(one->line, &one->echo);
  one->used = 0;
  one->messages++;
  stalled(one, now);
  one->waiting_us = 0;
  one->next_us = now + interval_us;
}

static void send_line(struct connection *one, int64_t now) {
  char text[32];
  int size = snprintf(text, sizeof text, "%ld\n", one->messages);
  one->waiting_us = now;
  if (send(one->fd, text, size, MSG_NOSIGNAL) < 0) broke(one, why(errno));
}

static void connected(struct connection *one) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return broke(one, why(error));
  one->connected = true;
  one->next_us = monotonic_us();
}

static void report(const struct connection *all, long count, int64_t begun_at_us) {
  long established = 0, messages = 0, resets = 0, broken = 0;
  int64_t worst = 0;
  for (long i = 0; i < count; i++) {
    established += all[i].connected;
    messages += all[i].messages;
    broken += all[i].broken != NULL;
    resets += all[i].broken != NULL && strcmp(all[i].broken, "reset") == 0;
    if (all[i].stall_us > worst) worst = all[i].stall_us;
  }
  printf("{\"startedAt\":%.3f,\"connections\":%ld,\"established\":%ld,\"messages\":%ld,\"broken\":%ld,\"resets\":%ld,\"longestStallMs\":%.3f,\"each\":[",
         begun_at_us / 1e3, count, established, messages, broken, resets, worst / 1e3);
  for (long i = 0; i < count; i++) {
    const struct connection *one = &all[i];
    printf("%s{\"pod\":\"%s\",\"node\":\"%s\",\"source\":\"%s\",\"messages\":%ld,\"longestStallMs\":%.3f,\"stalledAtMs\":%.3f,\"broken\":", i == 0 ? "" : ",", one->echo.pod,
           one->echo.node, one->echo.source, one->messages, one->stall_us / 1e3, one->stalled_at_us / 1e3);
    if (one->broken == NULL) printf("null}");
    else printf("{\"how\":\"%s\",\"atMs\":%.3f}}", one->broken, one->broken_us / 1e3);
  }
  printf("]}\n");
}

int tcp_probe_main(int argc, char **argv) {
  if (argc != 5) fail("usage: lab-tool tcp-probe ADDRESS PORT CONNECTIONS INTERVAL_MS");
  struct sockaddr_storage target;
  socklen_t length = parse_address(argv[1], argv[2], &target);
  long count = parse_number("connections", argv[3], 1);
  interval_us = parse_number("interval", argv[4], 1) * 1000;
  struct connection *all = calloc(count, sizeof *all);
  struct pollfd *polls = calloc(count + 1, sizeof *polls);
  if (all == NULL || polls == NULL) fail("out of memory");
  schedule_realtime();
  printf("started\n");
  fflush(stdout);
  begun_us = monotonic_us();
  int64_t begun_at_us = realtime_us(), end = INT64_MAX;
  for (long i = 0; i < count; i++) {
    all[i] = (struct connection){.fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .opened_us = monotonic_us()};
    if (all[i].fd < 0) fail("socket: %s", strerror(errno));
    all[i].waiting_us = all[i].opened_us;
    if (connect(all[i].fd, (struct sockaddr *)&target, length) != 0 && errno != EINPROGRESS) broke(&all[i], why(errno));
  }
  for (;;) {
    int64_t due = end == INT64_MAX ? monotonic_us() + 1000000 : end;
    bool waiting = false;
    for (long i = 0; i < count; i++) {
      struct connection *one = &all[i];
      polls[i] = (struct pollfd){.fd = one->fd, .events = one->connected ? POLLIN : POLLOUT};
      if (one->fd < 0) continue;
      if (one->waiting_us != 0) waiting = true;
      else if (one->connected && end == INT64_MAX && one->next_us < due) due = one->next_us;
    }
    if (end != INT64_MAX && (!waiting || monotonic_us() >= end)) break;
    polls[count] = (struct pollfd){.fd = end == INT64_MAX ? STDIN_FILENO : -1, .events = POLLIN};
    struct timespec wait = until(due);
    ppoll(polls, count + 1, &wait, NULL);
    if (polls[count].revents != 0 && input_ended()) end = monotonic_us() + LAST_ANSWERS_US;
    int64_t now = monotonic_us();
    for (long i = 0; i < count; i++) {
      struct connection *one = &all[i];
      if (one->fd >= 0 && polls[i].revents != 0) one->connected ? readable(one) : connected(one);
      if (one->fd < 0) continue;
      if (one->connected && one->messages == 0 && one->waiting_us == one->opened_us) send_line(one, now);
      else if (one->connected && one->waiting_us == 0 && end == INT64_MAX && now >= one->next_us) send_line(one, now);
    }
  }
  for (long i = 0; i < count; i++)
    if (all[i].waiting_us != 0) stalled(&all[i], all[i].fd < 0 ? begun_us + all[i].broken_us : monotonic_us());
  report(all, count, begun_at_us);
  return 0;
}
