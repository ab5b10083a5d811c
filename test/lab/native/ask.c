/* ask udp|tcp ADDRESS PORT COUNT TIMEOUT_MS: asks an echo server COUNT times, each from a new socket, and prints a JSON
 * object a line for each. */
#define _GNU_SOURCE
#include "lab-tool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool ready(int fd, short events, int64_t deadline_us) {
  struct pollfd one = {.fd = fd, .events = events};
  int64_t left = deadline_us - monotonic_us();
  if (left > 0 && poll(&one, 1, (int)((left + 999) / 1000)) > 0) return true;
  errno = ETIMEDOUT;
  return false;
}

static bool ask(int fd, const struct sockaddr_storage *target, socklen_t length, int64_t deadline_us, struct echo *echo) {
  char text[600];
  int error = 0;
  socklen_t size = sizeof error;
  if (connect(fd, (const struct sockaddr *)target, length) != 0 && errno != EINPROGRESS) return false;
  if (!ready(fd, POLLOUT, deadline_us)) return false;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    errno = error;
    return false;
  }
  if (send(fd, "ask\n", 4, MSG_NOSIGNAL) != 4 || !ready(fd, POLLIN, deadline_us)) return false;
  ssize_t got = recv(fd, text, sizeof text - 1, 0);
  if (got < 0) return false;
  text[got] = '\0';
  errno = got == 0 ? ECONNRESET : EBADMSG;
  return parse_echo(text, echo);
}

int ask_main(int argc, char **argv) {
  if (argc != 6 || (strcmp(argv[1], "udp") != 0 && strcmp(argv[1], "tcp") != 0))
    fail("usage: lab-tool ask udp|tcp ADDRESS PORT COUNT TIMEOUT_MS");
  struct sockaddr_storage target;
  socklen_t length = parse_address(argv[2], argv[3], &target);
  long count = parse_number("count", argv[4], 1), timeout_ms = parse_number("timeout", argv[5], 1);
  for (long i = 0; i < count; i++) {
    struct echo echo;
    int fd = socket(target.ss_family, (argv[1][0] == 't' ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int64_t begun = monotonic_us();
    bool answered = ask(fd, &target, length, begun + timeout_ms * 1000, &echo);
    int error = errno;
    double ms = (monotonic_us() - begun) / 1e3;
    if (answered) printf("{\"pod\":\"%s\",\"node\":\"%s\",\"source\":\"%s\",\"ms\":%.3f}\n", echo.pod, echo.node, echo.source, ms);
    else printf("{\"error\":\"%s\",\"ms\":%.3f}\n", strerror(error), ms);
    fflush(stdout);
    close(fd);
  }
  return 0;
}
