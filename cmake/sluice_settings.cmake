# Compiler settings shared by everything that is built here.
#
#   sluice_warnings  warnings; linked PRIVATE by every target of ours
#   sluice_host      repository root as include folder and the feature macros, for host and tests

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(SLUICE_PLUGIN_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib/sluice")

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS context program_options)

add_library(sluice_warnings INTERFACE)
# The last is not for clang 14, to which `double{x}` is a promotion that nobody asked for.
target_compile_options(
  sluice_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                            $<$<CXX_COMPILER_ID:GNU>:-Wdouble-promotion>)
if(SLUICE_WARNINGS_AS_ERRORS)
  target_compile_options(sluice_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU,Clang>:-Werror>)
endif()

add_library(sluice_host INTERFACE)
target_include_directories(sluice_host INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(
  sluice_host INTERFACE SLUICE_SINGLE_MAPPING=$<BOOL:${SLUICE_SINGLE_MAPPING}>
                        SLUICE_VERSION="${PROJECT_VERSION}")

add_link_options(-Wl,--as-needed)

if(SLUICE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(SLUICE_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(SLUICE_SANITIZE)
  message(FATAL_ERROR "SLUICE_SANITIZE is '${SLUICE_SANITIZE}'; it may be empty, address or thread")
endif()

if(SLUICE_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "SLUICE_BUILD_FUZZERS needs clang: configure with CXX=clang++ CC=clang")
  endif()
endif()

# Tells fuzzers which ways through the code of `target` their inputs take. Elsewhere it calls
# functions of the sanitizers that do nothing.
function(sluice_show_to_fuzzers target)
  if(SLUICE_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()
