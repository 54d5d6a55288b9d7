#ifndef LB_EXEC_H
#define LB_EXEC_H
#include <poll.h>
#include <stdint.h>

#include "frame.h"

enum { CHILDREN_MAX = 64, DRAINS_MAX = 64, EXEC_POLLS_MAX = CHILDREN_MAX * 3 + DRAINS_MAX };

void exec_start(const Frame *frame);
void exec_stdin(const Frame *frame);
void exec_stdin_end(uint32_t stream);
void exec_kill(uint32_t stream);
/* Kills every command: the host that asked for them is gone. */
void exec_kill_all(void);
/* After SIGCHLD. */
void exec_reap(void);
/* Adds what to wait for and lowers *timeout_ms to the next deadline. Returns how many were added. */
int exec_polls(struct pollfd *polls, int read_allowed, int *timeout_ms);
void exec_polled(const struct pollfd *polls, int count);
/* Kills what ran out of time and tells of what ended. */
void exec_advance(void);
int64_t monotonic_ms(void);
#endif
