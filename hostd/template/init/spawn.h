#ifndef LB_SPAWN_H
#define LB_SPAWN_H
#include <sys/types.h>

#include "frame.h"

typedef struct {
  pid_t pid;
  /* Our ends of the pipes, non-blocking; `in` is -1 when the command reads /dev/null. */
  int in, out, err;
} Spawned;

/* Starts the command of an exec message as leader of its own session. Returns NULL, or what went wrong. */
const char *spawn_command(const Frame *frame, Spawned *spawned);
/* SIGKILL for every process of the session that `leader` made. */
void spawn_kill_session(pid_t leader);
#endif
