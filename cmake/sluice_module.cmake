# sluice_add_module(NAME LINKS target...)
#
# One folder of the host as one static library `sluice_NAME`, made of every .cpp below it. What it
# links is PRIVATE: a module that wants another one's code must name it here, so the arrows between
# the modules can be read in host/*/CMakeLists.txt.
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
  target_link_libraries(sluice_${name} PUBLIC sluice_host PRIVATE sluice_warnings ${arg_LINKS})
  set_target_properties(sluice_${name} PROPERTIES CXX_VISIBILITY_PRESET hidden
                                                  VISIBILITY_INLINES_HIDDEN ON)
endfunction()
