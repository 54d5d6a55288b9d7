#ifndef LB_LINK_H
#define LB_LINK_H
#include <poll.h>

#include "frame.h"

/* Connections of the host to Unix sockets of the guest, such as the X server's. */
enum { LINKS_MAX = 16 };

void link_open(const Frame *frame);
/* Each returns whether `stream` is a link; its bytes, their end, and its end. */
int link_stdin(const Frame *frame);
int link_stdin_end(uint32_t stream);
int link_close(uint32_t stream);
void link_close_all(void);
int link_polls(struct pollfd *polls, int read_allowed);
void link_polled(const struct pollfd *polls, int count);
#endif
