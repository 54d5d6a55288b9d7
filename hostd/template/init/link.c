#define _GNU_SOURCE
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fields.h"
#include "send.h"

/* The host may send WINDOW bytes ahead, and again as much as each credit says. */
enum { WINDOW = 64 * 1024, CHUNK = 16 * 1024 };

typedef struct {
  uint32_t stream;
  int fd; /* meaningless while `unsent` is NULL: the slot is free */
  uint8_t *unsent;
  size_t start, end;
  int ending;
} Link;

static Link links[LINKS_MAX];

static Link *link_of(uint32_t stream) {
  for (int i = 0; i < LINKS_MAX; i++)
    if (links[i].unsent && links[i].stream == stream) return &links[i];
  return NULL;
}

static void release(Link *link) {
  close(link->fd);
  free(link->unsent);
  memset(link, 0, sizeof *link);
}

static void tell_end(Link *link) {
  send_number(T_EXIT, link->stream, "code", 0);
  release(link);
}

static int connect_unix(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!path || snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >= (int)sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  /* On a Unix socket this does not wait: it is there, or its queue is full and the host asks again. */
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int trouble = errno;
  close(fd);
  errno = trouble;
  return -1;
}

void link_open(const Frame *frame) {
  Link *link = NULL;
  if (link_of(frame->stream)) return;
  for (int i = 0; i < LINKS_MAX && !link; i++)
    if (!links[i].unsent) link = &links[i];
  if (!link) {
    send_error(frame->stream, "busy", "too many connections at once");
    return;
  }
  int fd = connect_unix(fields_find(frame->payload, frame->length, "path"));
  uint8_t *unsent = fd < 0 ? NULL : malloc(WINDOW);
  if (!unsent) {
    send_error(frame->stream, "connect_failed", strerror(errno));
    if (fd >= 0) close(fd);
    return;
  }
  *link = (Link){.stream = frame->stream, .fd = fd, .unsent = unsent};
  frame_send(T_CONNECT | T_ANSWER, frame->stream, "", 0);
}

/* Returns -1 when the socket is broken. */
static int write_unsent(Link *link) {
  size_t gone = 0;
  while (link->start < link->end) {
    ssize_t wrote = send(link->fd, link->unsent + link->start, link->end - link->start, MSG_NOSIGNAL);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno != EAGAIN) return -1;
    if (wrote < 0) break;
    link->start += (size_t)wrote;
    gone += (size_t)wrote;
  }
  if (gone > 0) send_number(T_CREDIT, link->stream, "bytes", (long long)gone);
  if (link->start == link->end && link->ending) shutdown(link->fd, SHUT_WR);
  return 0;
}

int link_stdin(const Frame *frame) {
  Link *link = link_of(frame->stream);
  if (!link) return 0;
  memmove(link->unsent, link->unsent + link->start, link->end - link->start);
  link->end -= link->start;
  link->start = 0;
  if (link->ending || frame->length > WINDOW - link->end) {
    tell_end(link);
    return 1;
  }
  memcpy(link->unsent + link->end, frame->payload, frame->length);
  link->end += frame->length;
  if (write_unsent(link)) tell_end(link);
  return 1;
}

int link_stdin_end(uint32_t stream) {
  Link *link = link_of(stream);
  if (!link) return 0;
  link->ending = 1;
  if (write_unsent(link)) tell_end(link);
  return 1;
}

int link_close(uint32_t stream) {
  Link *link = link_of(stream);
  if (link) release(link);
  return link != NULL;
}

void link_close_all(void) {
  for (int i = 0; i < LINKS_MAX; i++)
    if (links[i].unsent) release(&links[i]);
}

int link_polls(struct pollfd *polls, int read_allowed) {
  int count = 0;
  for (int i = 0; i < LINKS_MAX; i++) {
    if (!links[i].unsent) continue;
    short events = (short)((read_allowed ? POLLIN : 0) | (links[i].start < links[i].end ? POLLOUT : 0));
    /* Without an event to wait for, a socket that hung up would be reported again and again. */
    if (events) polls[count++] = (struct pollfd){links[i].fd, events, 0};
  }
  return count;
}

static void read_link(Link *link) {
  static uint8_t bytes[CHUNK];
  if (frame_pending() >= OUT_HIGH) return;
  ssize_t got = recv(link->fd, bytes, sizeof bytes, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) tell_end(link);
  else frame_send(T_STDOUT, link->stream, bytes, (size_t)got);
}

static void polled(const struct pollfd *poll) {
  for (int i = 0; i < LINKS_MAX; i++) {
    Link *link = &links[i];
    if (!link->unsent || link->fd != poll->fd) continue;
    if (poll->revents & POLLOUT && write_unsent(link)) tell_end(link);
    else if (poll->revents & (POLLIN | POLLHUP | POLLERR)) read_link(link);
    return;
  }
}

void link_polled(const struct pollfd *polls, int count) {
  for (int i = 0; i < count; i++)
    if (polls[i].revents) polled(&polls[i]);
}
