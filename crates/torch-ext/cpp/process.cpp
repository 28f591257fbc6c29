// The end of a process.
#include <cstdio>
#include <unistd.h>

// Streams of C are flushed; nothing else that waits for the end runs.
extern "C" [[noreturn]] void torch_ext_leave(int code) {
  std::fflush(nullptr);
  _exit(code);
}
