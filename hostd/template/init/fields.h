#ifndef LB_FIELDS_H
#define LB_FIELDS_H
#include <stddef.h>

/* A payload of `key\0value\0key\0value\0…`. Values are texts without NUL. */

/* Walks the pairs. Returns 0 at the end and -1 for a malformed payload; 1 with key and value set otherwise. */
typedef struct {
  const char *at, *end;
} Fields;
int fields_next(Fields *fields, const char **key, const char **value);
/* Value of the first pair with this key, or NULL. */
const char *fields_find(const void *payload, size_t length, const char *key);

/* Writer into a fixed buffer; what does not fit is left out and `overflow` is set. */
typedef struct {
  char bytes[4096];
  size_t count;
  int overflow;
} FieldWriter;
void fields_put(FieldWriter *writer, const char *key, const char *value);
void fields_put_number(FieldWriter *writer, const char *key, long long value);
#endif
