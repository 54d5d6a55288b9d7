#include "fields.h"

#include <stdio.h>
#include <string.h>

static const char *take(Fields *fields) {
  const char *text = fields->at;
  const char *zero = memchr(text, 0, (size_t)(fields->end - text));
  if (!zero) return NULL;
  fields->at = zero + 1;
  return text;
}

int fields_next(Fields *fields, const char **key, const char **value) {
  if (fields->at >= fields->end) return 0;
  if (!(*key = take(fields))) return -1;
  if (fields->at >= fields->end || !(*value = take(fields))) return -1;
  return 1;
}

const char *fields_find(const void *payload, size_t length, const char *wanted) {
  Fields fields = {payload, (const char *)payload + length};
  const char *key, *value;
  while (fields_next(&fields, &key, &value) == 1)
    if (strcmp(key, wanted) == 0) return value;
  return NULL;
}

void fields_put(FieldWriter *writer, const char *key, const char *value) {
  size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;
  if (writer->count + key_size + value_size > sizeof writer->bytes) {
    writer->overflow = 1;
    return;
  }
  memcpy(writer->bytes + writer->count, key, key_size);
  memcpy(writer->bytes + writer->count + key_size, value, value_size);
  writer->count += key_size + value_size;
}

void fields_put_number(FieldWriter *writer, const char *key, long long value) {
  char text[24];
  snprintf(text, sizeof text, "%lld", value);
  fields_put(writer, key, text);
}
