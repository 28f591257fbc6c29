// Common to every function that Rust calls: it returns null, or the reason of its failure.
#pragma once

#include <c10/util/Exception.h>

#include <cstdlib>
#include <cstring>
#include <exception>

namespace bridge {

// The first line of a message; the lines after it are of no use to a user. Rust gives it back to `free`.
inline char* first_line(const char* message) {
  const size_t length = std::strcspn(message, "\n");
  char* line = static_cast<char*>(std::malloc(length + 1));
  if (line == nullptr) {
    std::abort();
  }
  std::memcpy(line, message, length);
  line[length] = '\0';
  return line;
}

// Runs `body`; no exception leaves it.
template <typename Body>
char* guarded(Body&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const c10::Error& error) {
    return first_line(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return first_line(error.what());
  } catch (...) {
    return first_line("an exception of an unknown type");
  }
}

} // namespace bridge
