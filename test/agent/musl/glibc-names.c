/* What Debian's libstdc++ and libgcc want of glibc, and Node of a younger libstdc++, for the Node of the musl stand-in.
   Alpine has a libstdc++ of its own and needs none of it. */
#define _GNU_SOURCE
#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded;
unsigned __cpu_model[8];

int __cpu_indicator_init(void) { return 0; }

/* "Not found": exceptions are not caught, and Node throws none. */
int _dl_find_object(void *address, void *result) { return -1; }

/* What is to be done when a thread ends is left undone. */
int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *library) { return 0; }

uint32_t arc4random(void) {
  uint32_t value;
  getrandom(&value, sizeof value, 0);
  return value;
}

size_t __strftime_l(char *text, size_t size, const char *format, const struct tm *time, locale_t locale) {
  return strftime_l(text, size, format, time, locale);
}

/* std::string::_M_replace_cold(at, old, by, new, rest): replaces `old` bytes at `at`, `rest` follow, by `new` bytes that
   lie in the same string. */
void _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE15_M_replace_coldEPcmPKcmm(
    void *string, char *at, size_t old, const char *by, size_t new, size_t rest) {
  char copy[new + 1];
  memcpy(copy, by, new);
  memmove(at + new, at + old, rest);
  memcpy(at, copy, new);
}
