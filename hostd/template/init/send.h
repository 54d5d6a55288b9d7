#ifndef LB_SEND_H
#define LB_SEND_H
#include <stdint.h>

/* Short answers. `stream` is the one of the message that is answered. */
void send_error(uint32_t stream, const char *code, const char *detail);
void send_number(uint8_t type, uint32_t stream, const char *key, long long value);
#endif
