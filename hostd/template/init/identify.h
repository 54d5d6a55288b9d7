#ifndef LB_IDENTIFY_H
#define LB_IDENTIFY_H
#include "frame.h"

/* Puts a file in memory in the place of the machine id, with what it holds. */
void identify_prepare(void);
/* `arrived_ms`, of the monotonic clock, is when the message was read. */
void identify(const Frame *frame, int64_t arrived_ms);
/* Forgets who this is, so that a template does not claim to be somebody. */
void identify_forget(void);
/* `owner:boot:version` of the last identify since this guest booted, or "". */
const char *identify_current(void);
void identify_restore(void);
#endif
