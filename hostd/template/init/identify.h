#ifndef LB_IDENTIFY_H
#define LB_IDENTIFY_H
#include "frame.h"

void identify(const Frame *frame);
/* Forgets who this is, so that a template does not claim to be somebody. */
void identify_forget(void);
/* `owner:boot` of the last identify since this guest booted, or "". */
const char *identify_current(void);
void identify_restore(void);
#endif
