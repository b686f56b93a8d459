# sluice_add_plugin(STEM SOURCES file... [LIBRARIES target...] [ALIASES id...])
#
# Builds the shared object STEM.so, a plugin for the Sluice host. STEM is the id of its (first)
# type, such as filter.gate or com.example.sink.foo; it is also the name of the CMake target.
#
# What every plugin gets: hidden visibility and a version script, so that `sluice_entry` is the one
# symbol it exports; all symbols bound when it is loaded (a missing one is an error then, not in the
# middle of playing); no unique symbols under g++, which would let two plugins share state; an error
# at link time for anything undefined; -O3 in optimised builds, without which g++ 12 leaves loops over
# samples scalar.
#
# ALIASES are the ids of its other types: links named after them, by which a host that looks for a
# file named after the type finds it without looking into all.
#
# The shared object is written to SLUICE_PLUGIN_OUTPUT_DIRECTORY where that is set, and otherwise to
# the current binary folder. Names of all targets added so far: global property SLUICE_PLUGINS.

set(SLUICE_PLUGIN_VERSION_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/sluice_plugin.map"
    CACHE INTERNAL "Linker version script of a Sluice plugin")

function(sluice_add_plugin stem)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES;ALIASES")
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "sluice_add_plugin(${stem}): say SOURCES and the plugin's files")
  endif()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_add_plugin(${stem}): unknown words: ${arg_UNPARSED_ARGUMENTS}")
  endif()

  add_library(${stem} MODULE ${arg_SOURCES})
  set_target_properties(
    ${stem}
    PROPERTIES PREFIX ""
               SUFFIX ".so"
               OUTPUT_NAME "${stem}"
               POSITION_INDEPENDENT_CODE ON
               C_VISIBILITY_PRESET hidden
               CXX_VISIBILITY_PRESET hidden
               VISIBILITY_INLINES_HIDDEN ON
               LINK_DEPENDS "${SLUICE_PLUGIN_VERSION_SCRIPT}")
  if(SLUICE_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${stem} PROPERTIES LIBRARY_OUTPUT_DIRECTORY
                                             "${SLUICE_PLUGIN_OUTPUT_DIRECTORY}")
  endif()
  foreach(alias IN LISTS arg_ALIASES)
    add_custom_command(
      TARGET ${stem}
      POST_BUILD
      COMMAND "${CMAKE_COMMAND}" -E create_symlink "${stem}.so"
              "$<TARGET_FILE_DIR:${stem}>/${alias}.so")
  endforeach()
  set_property(TARGET ${stem} PROPERTY SLUICE_ALIASES "${arg_ALIASES}")
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  foreach(feature IN ITEMS C:c_std_11 CXX:cxx_std_20)
    string(REGEX MATCH "^[^:]+" language ${feature})
    string(REGEX MATCH "[^:]+$" standard ${feature})
    if(language IN_LIST languages)
      target_compile_features(${stem} PRIVATE ${standard})
    endif()
  endforeach()
  target_compile_options(
    ${stem} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>
                    $<$<CONFIG:Release,RelWithDebInfo>:-O3>)
  target_link_libraries(${stem} PRIVATE Sluice::sdk ${arg_LIBRARIES})
  target_link_options(${stem} PRIVATE "LINKER:--version-script=${SLUICE_PLUGIN_VERSION_SCRIPT}"
                      "LINKER:-z,now" "LINKER:--as-needed")
  # The runtime of a sanitizer is in the executable, so its symbols stay undefined here.
  get_target_property(compile_options ${stem} COMPILE_OPTIONS)
  if(NOT "${compile_options} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize=")
    target_link_options(${stem} PRIVATE "LINKER:-z,defs")
  endif()
  set_property(GLOBAL APPEND PROPERTY SLUICE_PLUGINS ${stem})
endfunction()
