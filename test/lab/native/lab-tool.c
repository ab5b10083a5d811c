/* The lab's small programs that need exact timing, raw sockets, or little memory. */
#define _GNU_SOURCE
#include "lab-tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }
int64_t realtime_us(void) { return clock_us(CLOCK_REALTIME); }

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("lab-tool: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

void schedule_realtime(void) {
  struct sched_param parameters = {.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO, &parameters);
}

struct timespec until(int64_t deadline_us) {
  int64_t left = deadline_us - monotonic_us();
  if (left < 0) left = 0;
  return (struct timespec){.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
}

socklen_t parse_address(const char *address, const char *port, struct sockaddr_storage *out) {
  struct sockaddr_in *ipv4 = (struct sockaddr_in *)out;
  struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)out;
  uint16_t number = htons((uint16_t)parse_number("port", port, 1));
  memset(out, 0, sizeof *out);
  if (inet_pton(AF_INET, address, &ipv4->sin_addr) == 1) {
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = number;
    return sizeof *ipv4;
  }
  if (inet_pton(AF_INET6, address, &ipv6->sin6_addr) != 1) fail("%s is no IP address", address);
  ipv6->sin6_family = AF_INET6;
  ipv6->sin6_port = number;
  return sizeof *ipv6;
}

long parse_number(const char *name, const char *text, long least) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno != 0 || *text == '\0' || *end != '\0' || value < least) fail("%s %s is no number from %ld on", name, text, least);
  return value;
}

bool input_ended(void) {
  char buffer[256];
  return read(STDIN_FILENO, buffer, sizeof buffer) <= 0;
}

bool parse_echo(const char *text, struct echo *out) {
  return sscanf(text, "%63s %63s %63s %u %63s", out->pod, out->node, out->source, &out->port, out->payload) == 5;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(int, char **);
  } programs[] = {{"echo", echo_main}, {"udp-probe", udp_probe_main}, {"tcp-probe", tcp_probe_main},
                {"ask", ask_main},   {"watch", watch_main},         {"routes", routes_main},
                {"advertise", advertise_main}};
  for (size_t i = 0; argc > 1 && i < sizeof programs / sizeof *programs; i++)
    if (strcmp(argv[1], programs[i].name) == 0) return programs[i].run(argc - 1, argv + 1);
  fail("usage: lab-tool echo|udp-probe|tcp-probe|ask|watch|routes|advertise ...");
}
