#define _GNU_SOURCE
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fields.h"
#include "send.h"
#include "spawn.h"

enum {
  STDIN_MAX = 64 * 1024,
  CHUNK = 16 * 1024,
  /* After the command itself ended, what still holds its pipes may write this long. */
  GRACE_MS = 200,
};

typedef struct {
  uint32_t stream;
  pid_t pid; /* 0: the slot is free */
  int in, out[2];
  uint8_t *input; /* STDIN_MAX bytes, only while stdin is open */
  size_t input_start, input_end;
  int input_ending;
  int64_t deadline_ms, ended_ms;
  uint64_t output_left[2];
  int ended, wait_status, timed_out, truncated;
  int rest_reads[2]; /* after the grace, over as many turns as the queue to the host needs */
} Child;

static Child children[CHILDREN_MAX];
/* Pipes whose command has ended while others still hold them: read and thrown away, or a program in the background would die of SIGPIPE. */
static int drains[DRAINS_MAX];
static int drain_count;

int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static Child *child_of(uint32_t stream) {
  for (int i = 0; i < CHILDREN_MAX; i++)
    if (children[i].pid && children[i].stream == stream) return &children[i];
  return NULL;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void close_input(Child *child) {
  close_fd(&child->in);
  free(child->input);
  child->input = NULL;
}

static uint64_t number(const Frame *frame, const char *key, uint64_t otherwise) {
  const char *text = fields_find(frame->payload, frame->length, key);
  return text ? strtoull(text, NULL, 10) : otherwise;
}

void exec_start(const Frame *frame) {
  if (child_of(frame->stream)) return;
  Child *child = NULL;
  for (int i = 0; i < CHILDREN_MAX && !child; i++)
    if (!children[i].pid) child = &children[i];
  if (!child) {
    send_error(frame->stream, "busy", "too many commands at once");
    return;
  }
  Spawned spawned;
  const char *trouble = spawn_command(frame, &spawned);
  if (trouble) {
    send_error(frame->stream, "spawn_failed", trouble);
    return;
  }
  memset(child, 0, sizeof *child);
  child->stream = frame->stream;
  child->pid = spawned.pid;
  child->in = spawned.in;
  child->out[0] = spawned.out;
  child->out[1] = spawned.err;
  child->deadline_ms = monotonic_ms() + (int64_t)number(frame, "timeoutMs", 60000);
  child->output_left[0] = child->output_left[1] = number(frame, "outputMaxBytes", 1024 * 1024);
  if (child->in >= 0 && !(child->input = malloc(STDIN_MAX))) close_input(child);
}

void exec_stdin(const Frame *frame) {
  Child *child = child_of(frame->stream);
  if (!child || !child->input || child->input_ending) return;
  if (child->input_start > 0) {
    memmove(child->input, child->input + child->input_start, child->input_end - child->input_start);
    child->input_end -= child->input_start;
    child->input_start = 0;
  }
  /* A host that sends more than it has credit for breaks the protocol: the command must not see a hole. */
  if (frame->length > STDIN_MAX - child->input_end) {
    exec_kill(frame->stream);
    return;
  }
  memcpy(child->input + child->input_end, frame->payload, frame->length);
  child->input_end += frame->length;
}

void exec_stdin_end(uint32_t stream) {
  Child *child = child_of(stream);
  if (!child || !child->input) return;
  child->input_ending = 1;
  if (child->input_start == child->input_end) close_input(child);
}

static void kill_child(Child *child) {
  if (!child->ended) spawn_kill_session(child->pid);
}

void exec_kill(uint32_t stream) {
  Child *child = child_of(stream);
  if (child) kill_child(child);
}

static void drain_later(int *fd) {
  if (*fd < 0) return;
  if (drain_count == DRAINS_MAX) {
    close(drains[0]);
    memmove(drains, drains + 1, sizeof drains - sizeof drains[0]);
    drain_count--;
  }
  drains[drain_count++] = *fd;
  *fd = -1;
}

static void release(Child *child) {
  close_input(child);
  drain_later(&child->out[0]);
  drain_later(&child->out[1]);
  memset(child, 0, sizeof *child);
}

void exec_kill_all(void) {
  for (int i = 0; i < CHILDREN_MAX; i++) {
    if (!children[i].pid) continue;
    kill_child(&children[i]);
    release(&children[i]);
  }
}

void exec_reap(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (int i = 0; i < CHILDREN_MAX; i++) {
      if (children[i].pid != pid) continue;
      children[i].ended = 1;
      children[i].ended_ms = monotonic_ms();
      children[i].wait_status = status;
      close_input(&children[i]);
    }
  }
}

static int is_silent(const Child *child) { return child->out[0] < 0 && child->out[1] < 0; }

static int add_poll(struct pollfd *polls, int fd, short events) {
  if (fd < 0) return 0;
  *polls = (struct pollfd){fd, events, 0};
  return 1;
}

static void lower(int *timeout_ms, int64_t until_ms) {
  int64_t left = until_ms - monotonic_ms();
  if (left < 0) left = 0;
  if (left > 3600 * 1000) left = 3600 * 1000;
  if (*timeout_ms < 0 || left < *timeout_ms) *timeout_ms = (int)left;
}

int exec_polls(struct pollfd *polls, int read_allowed, int *timeout_ms) {
  int count = 0;
  for (int i = 0; i < CHILDREN_MAX; i++) {
    Child *child = &children[i];
    if (!child->pid) continue;
    if (!child->ended) lower(timeout_ms, child->deadline_ms);
    else if (read_allowed) lower(timeout_ms, is_silent(child) ? 0 : child->ended_ms + GRACE_MS);
    if (child->input && child->input_start < child->input_end) count += add_poll(polls + count, child->in, POLLOUT);
    if (!read_allowed) continue;
    count += add_poll(polls + count, child->out[0], POLLIN);
    count += add_poll(polls + count, child->out[1], POLLIN);
  }
  for (int i = 0; i < drain_count; i++) count += add_poll(polls + count, drains[i], POLLIN);
  return count;
}

static int read_is_allowed(void) { return frame_pending() < OUT_HIGH; }

static void write_input(Child *child) {
  ssize_t wrote = write(child->in, child->input + child->input_start, child->input_end - child->input_start);
  if (wrote < 0 && (errno == EAGAIN || errno == EINTR)) return;
  /* The command closed its stdin: what else comes is taken and thrown away, as a shell's pipe would. */
  size_t gone = wrote < 0 ? child->input_end - child->input_start : (size_t)wrote;
  child->input_start += gone;
  send_number(T_CREDIT, child->stream, "bytes", (long long)gone);
  if (child->input_start == child->input_end && child->input_ending) close_input(child);
}

/* What the queue to the host has no room for stays in the pipe. Call only while read_is_allowed(). */
static void read_output(Child *child, int which) {
  static uint8_t bytes[CHUNK];
  ssize_t got = read(child->out[which], bytes, sizeof bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    close_fd(&child->out[which]);
    return;
  }
  size_t keep = (size_t)got;
  if (keep > child->output_left[which]) {
    keep = (size_t)child->output_left[which];
    child->truncated = 1;
  }
  child->output_left[which] -= keep;
  if (keep > 0) frame_send(which ? T_STDERR : T_STDOUT, child->stream, bytes, keep);
}

static void read_drain(int fd) {
  uint8_t bytes[4096];
  ssize_t got = read(fd, bytes, sizeof bytes);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;
  for (int i = 0; i < drain_count; i++) {
    if (drains[i] != fd) continue;
    close(fd);
    drains[i] = drains[--drain_count];
    return;
  }
}

static void polled(int fd) {
  for (int i = 0; i < CHILDREN_MAX; i++) {
    Child *child = &children[i];
    if (!child->pid) continue;
    if (child->input && child->in == fd) return write_input(child);
    int which = child->out[1] == fd;
    if (child->out[which] != fd) continue;
    if (read_is_allowed()) read_output(child, which);
    return;
  }
  read_drain(fd);
}

void exec_polled(const struct pollfd *polls, int count) {
  for (int i = 0; i < count; i++)
    if (polls[i].revents) polled(polls[i].fd);
}

/* Returns whether all that the pipes held was read. */
static int read_rest(Child *child) {
  enum { PIPE_CHUNKS = 5 };
  for (int which = 0; which < 2; which++) {
    for (; child->rest_reads[which] < PIPE_CHUNKS && child->out[which] >= 0; child->rest_reads[which]++) {
      if (!read_is_allowed()) return 0;
      read_output(child, which);
    }
  }
  return 1;
}

static void tell_exit(Child *child) {
  if (!read_rest(child)) return;
  int status = child->wait_status;
  int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  FieldWriter writer = {.count = 0};
  fields_put_number(&writer, "code", code);
  fields_put_number(&writer, "timedOut", child->timed_out);
  fields_put_number(&writer, "truncated", child->truncated);
  /* Without room now, it is told in a later turn: a lost exit would leave the host waiting. */
  if (frame_send(T_EXIT, child->stream, writer.bytes, writer.count) == 0) release(child);
}

void exec_advance(void) {
  int64_t now = monotonic_ms();
  for (int i = 0; i < CHILDREN_MAX; i++) {
    Child *child = &children[i];
    if (!child->pid) continue;
    if (!child->ended && now >= child->deadline_ms) {
      child->timed_out = 1;
      kill_child(child);
      /* The next look is for what could not be killed at once. */
      child->deadline_ms = now + 1000;
    }
    int over = now >= child->ended_ms + GRACE_MS && read_is_allowed();
    if (child->ended && (is_silent(child) || over)) tell_exit(child);
  }
}
