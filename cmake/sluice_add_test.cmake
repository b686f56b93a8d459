# sluice_add_test(NAME SOURCES file... [LIBRARIES target...] [TIMEOUT_S seconds])
#
# A googletest executable, each of whose tests is one ctest test. Linked with all symbols exported,
# so that what it replaces (malloc, open, ...) is seen by loaded plugins too. All plugins and the
# program itself are built before it. Without sources nothing is added.
find_package(GTest REQUIRED)
include(GoogleTest)

# Optimising assertions would take most of the time of a build, and so would looking for null
# pointers in them.
function(sluice_set_test_options name)
  target_compile_options(${name} PRIVATE -O0)
  if(SLUICE_SANITIZE STREQUAL "address")
    target_compile_options(${name} PRIVATE -fno-sanitize=null,alignment,object-size,vptr)
  endif()
  target_link_libraries(${name} PRIVATE sluice_warnings sluice_test_support GTest::gmock GTest::gtest
                                        fmt::fmt)
endfunction()

function(sluice_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT_S" "SOURCES;LIBRARIES")
  if(NOT arg_SOURCES)
    return()
  endif()
  if(NOT arg_TIMEOUT_S)
    set(arg_TIMEOUT_S 120)
  endif()
  if(SLUICE_SANITIZE)
    math(EXPR arg_TIMEOUT_S "${arg_TIMEOUT_S} * 3")
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE sluice_rt_guard ${arg_LIBRARIES} sluice_test_main)
  sluice_set_test_options(${name})
  if(SLUICE_PRECOMPILE_HEADERS)
    if(NOT TARGET sluice_test_headers)
      file(WRITE "${PROJECT_BINARY_DIR}/test_headers.cpp" "int main() {}\n")
      add_executable(sluice_test_headers "${PROJECT_BINARY_DIR}/test_headers.cpp")
      sluice_set_test_options(sluice_test_headers)
      target_precompile_headers(
        sluice_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <algorithm> <atomic> <chrono>
                                    <filesystem> <fstream> <functional> <memory> <string> <thread>
                                    <vector>)
    endif()
    target_precompile_headers(${name} REUSE_FROM sluice_test_headers)
  endif()
  set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
  get_property(plugins GLOBAL PROPERTY SLUICE_PLUGINS)
  if(plugins)
    add_dependencies(${name} ${plugins})
  endif()
  if(TARGET sluice)
    add_dependencies(${name} sluice)
  endif()
  get_property(bad_plugins GLOBAL PROPERTY SLUICE_BAD_PLUGINS)
  add_dependencies(${name} ${bad_plugins})
  gtest_discover_tests(
    ${name}
    NO_PRETTY_VALUES DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    TEST_PREFIX "${name}."
    PROPERTIES TIMEOUT ${arg_TIMEOUT_S})
endfunction()
