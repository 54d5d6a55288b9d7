#ifndef LB_HEALTH_H
#define LB_HEALTH_H
#include <poll.h>
#include <stdint.h>

/* Asks the X server and then answers; several questions at once share one look. */
void health_ask(uint32_t stream);
void health_forget(void);
int health_polls(struct pollfd *polls, int *timeout_ms);
void health_polled(const struct pollfd *polls, int count);
void health_advance(void);
#endif
