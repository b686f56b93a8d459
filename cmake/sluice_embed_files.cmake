# sluice_embed_files(OUTPUT FOLDER HEADER VARIABLE)
#
# Writes the C++ file OUTPUT, which includes HEADER and defines VARIABLE (namespace sluice::cli): a
# span of the files below FOLDER, with their paths relative to it, in order. For text files.
function(sluice_embed_files output folder header variable)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE "${folder}" "${folder}/*")
  list(SORT files)
  set(text "#include \"${header}\"\n\nnamespace sluice::cli {\nnamespace {\n\n")
  string(APPEND text "constexpr EmbeddedFile kFiles[] = {\n")
  foreach(file IN LISTS files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${folder}/${file}")
    file(READ "${folder}/${file}" content)
    string(APPEND text "    {\"${file}\", R\"sluice_file(${content})sluice_file\"},\n")
  endforeach()
  string(APPEND text "};\n\n}  // namespace\n\n")
  string(APPEND text "const std::span<const EmbeddedFile> ${variable} = kFiles;\n\n")
  string(APPEND text "}  // namespace sluice::cli\n")
  # Not file(GENERATE): the templates hold generator expressions of their own.
  file(WRITE "${output}.new" "${text}")
  file(COPY_FILE "${output}.new" "${output}" ONLY_IF_DIFFERENT)
endfunction()
