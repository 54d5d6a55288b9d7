#ifndef LB_OPTIONS_H
#define LB_OPTIONS_H

enum { PROTOCOL_VERSION = 1 };
#define PROGRAM_VERSION "1.0.0"

typedef struct {
  /* A character device, or `unix:PATH` of a socket that a test listens on. */
  const char *device;
  /* Where identity files go. With anything but "/" the running kernel (clock, host name, MAC, pool) is left alone. */
  const char *root;
  const char *display;
} Options;
extern Options options;
#endif
