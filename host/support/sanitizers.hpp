// The sanitizer that this is compiled with, as g++ and clang++ each tell it: 1 or 0. For the few
// places that have to tell it something, or to spare it something.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_ADDRESS_SANITIZER 1
#endif
#endif
#if !defined(SLUICE_ADDRESS_SANITIZER)
#define SLUICE_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__)
#define SLUICE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLUICE_THREAD_SANITIZER 1
#endif
#endif
#if !defined(SLUICE_THREAD_SANITIZER)
#define SLUICE_THREAD_SANITIZER 0
#endif
