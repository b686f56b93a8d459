# sluice_add_module(NAME LINKS target...)
#
# One folder of the host as one static library `sluice_NAME`, made of every .cpp below it. What it
# links is PRIVATE: a module that wants another one's code must name it here, so the arrows between
# the modules can be read in host/*/CMakeLists.txt.

# What most files of the host include takes as long to read as many of them to compile. For
# sanitizers alone: a file that lacks an include of its own is found by the other builds.
function(sluice_precompile_host_headers target)
  if(NOT TARGET sluice_host_headers)
    file(WRITE "${PROJECT_BINARY_DIR}/host_headers.cpp" "")
    add_library(sluice_host_headers STATIC "${PROJECT_BINARY_DIR}/host_headers.cpp")
    target_link_libraries(sluice_host_headers PRIVATE sluice_host sluice_warnings fmt::fmt)
    sluice_show_to_fuzzers(sluice_host_headers)
    set_target_properties(sluice_host_headers PROPERTIES CXX_VISIBILITY_PRESET hidden
                                                         VISIBILITY_INLINES_HIDDEN ON)
    target_precompile_headers(
      sluice_host_headers PRIVATE <fmt/format.h> <algorithm> <atomic> <chrono> <filesystem>
                                  <functional> <map> <memory> <optional> <set> <span> <string>
                                  <unordered_map> <vector>)
  endif()
  target_link_libraries(${target} PRIVATE fmt::fmt)
  # g++ 12 then warns of what it does not tell when it reads the library's own headers.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-w>)
  target_precompile_headers(${target} REUSE_FROM sluice_host_headers)
endfunction()

# Most of what the compiler reads is headers, so all files together take a third of the time. Not for
# what is shipped, and not for who works on one file: a name without linkage has to be the only one
# of its kind in the whole folder.
function(sluice_join_sources target)
  if(SLUICE_JOIN_SOURCES)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

function(sluice_add_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINKS;EXCLUDE")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  foreach(file IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  endforeach()
  if(NOT sources)
    add_library(sluice_${name} INTERFACE)
    target_link_libraries(sluice_${name} INTERFACE sluice_host ${arg_LINKS})
    return()
  endif()
  add_library(sluice_${name} STATIC ${sources})
  if(SLUICE_PRECOMPILE_HEADERS AND SLUICE_SANITIZE)
    sluice_precompile_host_headers(sluice_${name})
  endif()
  target_link_libraries(sluice_${name} PUBLIC sluice_host PRIVATE sluice_warnings ${arg_LINKS})
  sluice_show_to_fuzzers(sluice_${name})
  sluice_join_sources(sluice_${name})
  set_target_properties(sluice_${name} PROPERTIES CXX_VISIBILITY_PRESET hidden
                                                  VISIBILITY_INLINES_HIDDEN ON)
endfunction()
