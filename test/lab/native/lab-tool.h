/* What the parts of lab-tool share. Times are microseconds. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* CLOCK_MONOTONIC, and CLOCK_REALTIME for what is compared with other processes. */
int64_t monotonic_us(void);
int64_t realtime_us(void);

/* Ends the program with "lab-tool: ..." on stderr. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Asks for real-time scheduling, so that a busy machine delays no probe; goes on where that is refused. */
void schedule_realtime(void);

/* A deadline as ppoll wants it; 0 where it has passed. */
struct timespec until(int64_t deadline_us);

/* Parses an IPv4 or IPv6 address and a port; gives the length of what it wrote. */
socklen_t parse_address(const char *address, const char *port, struct sockaddr_storage *out);

/* Parses a whole number of at least `least`. */
long parse_number(const char *name, const char *text, long least);

/* Reads standard input away; true at its end, which asks the program to stop. */
bool input_ended(void);

/* What an echo server says: "POD NODE SOURCE PORT PAYLOAD". */
struct echo {
  char pod[64];
  char node[64];
  char source[64];
  unsigned port;
  char payload[64];
};
bool parse_echo(const char *text, struct echo *out);

int echo_main(int argc, char **argv);
int udp_probe_main(int argc, char **argv);
int tcp_probe_main(int argc, char **argv);
int ask_main(int argc, char **argv);
int watch_main(int argc, char **argv);
int routes_main(int argc, char **argv);
int advertise_main(int argc, char **argv);
