/* echo POD NODE PORT ADDRESS...: the server in a pod. Answers each UDP datagram and each TCP line with
 * "POD NODE SOURCE PORT PAYLOAD". Dies with its parent; after SIGTERM it serves on for LINGER_MS, as a well-behaved
 * server does while the endpoints that lead to it are being taken away. */
#define _GNU_SOURCE
#include "lab-tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LINGER_MS 1000
#define LINE_MAX_BYTES 512

enum kind { DATAGRAMS, LISTENER, CONNECTION, SIGNALS, END };

struct handle {
  enum kind kind;
  int fd;
  size_t used;
  struct sockaddr_storage peer;
  char line[LINE_MAX_BYTES];
};

static const char *pod, *node;
static int epoll_fd;

static struct handle *add(enum kind kind, int fd) {
  struct handle *handle = calloc(1, sizeof *handle);
  if (handle == NULL) fail("out of memory");
  handle->kind = kind;
  handle->fd = fd;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = handle};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll: %s", strerror(errno));
  return handle;
}

static void drop(struct handle *handle) {
  close(handle->fd);
  free(handle);
}

static int answer(char *out, size_t size, const struct sockaddr_storage *peer, const char *payload, int length) {
  char source[INET6_ADDRSTRLEN];
  const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)peer;
  const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)peer;
  bool six = peer->ss_family == AF_INET6;
  inet_ntop(peer->ss_family, six ? (const void *)&ipv6->sin6_addr : (const void *)&ipv4->sin_addr, source, sizeof source);
  unsigned port = ntohs(six ? ipv6->sin6_port : ipv4->sin_port);
  return snprintf(out, size, "%s %s %s %u %.*s\n", pod, node, source, port, length, payload);
}

static void bind_both(const char *address, const char *port) {
  struct sockaddr_storage where;
  socklen_t length = parse_address(address, port, &where);
  int one = 1, size = 8 << 20;
  int udp = socket(where.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int tcp = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(udp, (struct sockaddr *)&where, length) != 0 || bind(tcp, (struct sockaddr *)&where, length) != 0 || listen(tcp, 1024) != 0)
    fail("listen on %s port %s: %s", address, port, strerror(errno));
  add(DATAGRAMS, udp);
  add(LISTENER, tcp);
}

static void answer_datagrams(int fd) {
  char payload[1500], out[2000];
  struct sockaddr_storage peer;
  for (;;) {
    socklen_t length = sizeof peer;
    ssize_t got = recvfrom(fd, payload, sizeof payload, 0, (struct sockaddr *)&peer, &length);
    if (got < 0) return;
    const char *end = memchr(payload, '\n', got);
    int size = answer(out, sizeof out, &peer, payload, end == NULL ? (int)got : (int)(end - payload));
    sendto(fd, out, size, 0, (struct sockaddr *)&peer, length);
  }
}

static void accept_all(int fd) {
  for (;;) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int connection = accept4(fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection < 0) return;
    add(CONNECTION, connection)->peer = peer;
  }
}

static void answer_lines(struct handle *handle) {
  ssize_t got = read(handle->fd, handle->line + handle->used, sizeof handle->line - handle->used);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return drop(handle);
  handle->used += got;
  for (char *end; (end = memchr(handle->line, '\n', handle->used)) != NULL;) {
    char out[LINE_MAX_BYTES + 256];
    int size = answer(out, sizeof out, &handle->peer, handle->line, (int)(end - handle->line));
    if (send(handle->fd, out, size, MSG_NOSIGNAL) != size) return drop(handle);
    handle->used -= end + 1 - handle->line;
    memmove(handle->line, end + 1, handle->used);
  }
  if (handle->used == sizeof handle->line) drop(handle);
}

static void linger(void) {
  struct itimerspec end = {.it_value = {.tv_sec = LINGER_MS / 1000, .tv_nsec = LINGER_MS % 1000 * 1000000 + 1}};
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  timerfd_settime(timer, 0, &end, NULL);
  add(END, timer);
}

int echo_main(int argc, char **argv) {
  if (argc < 5) fail("usage: lab-tool echo POD NODE PORT ADDRESS...");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pod = argv[1];
  node = argv[2];
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 4; i < argc; i++) bind_both(argv[i], argv[3]);
  // What waits for its turn here would look like lost on the way.
  schedule_realtime();
  puts("ready");
  fflush(stdout);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  add(SIGNALS, signalfd(-1, &signals, SFD_CLOEXEC));
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(epoll_fd, &event, 1, -1) != 1) continue;
    struct handle *handle = event.data.ptr;
    switch (handle->kind) {
      case DATAGRAMS: answer_datagrams(handle->fd); break;
      case LISTENER: accept_all(handle->fd); break;
      case CONNECTION: answer_lines(handle); break;
      case SIGNALS: epoll_ctl(epoll_fd, EPOLL_CTL_DEL, handle->fd, NULL), linger(); break;
      case END: return 0;
    }
  }
}
