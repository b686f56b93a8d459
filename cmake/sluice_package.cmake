# Debian packages by CPack (`./dev package`): sluice, the program with its plugins, and sluice-dev,
# the SDK. What is installed by which is said with install(... COMPONENT).
set(SLUICE_PACKAGE_CONTACT "The Sluice authors <sluice@packages.invalid>"
    CACHE STRING "Maintainer of the packages: NAME <ADDRESS>")

# The date of the sources, so that a package built twice is the same twice.
set(SLUICE_PACKAGE_DATE "Thu, 01 Jan 1970 00:00:00 +0000")
find_program(SLUICE_GIT git)
mark_as_advanced(SLUICE_GIT)
if(SLUICE_GIT)
  execute_process(
    COMMAND "${SLUICE_GIT}" -C "${PROJECT_SOURCE_DIR}" log -1 --format=%cD
    OUTPUT_VARIABLE date
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(date)
    set(SLUICE_PACKAGE_DATE "${date}")
  endif()
endif()

# What Debian wants of every package.
set(folder "${PROJECT_BINARY_DIR}/package")
configure_file("${CMAKE_CURRENT_LIST_DIR}/package/changelog.in" "${folder}/changelog" @ONLY)
configure_file("${PROJECT_SOURCE_DIR}/CHANGELOG.md" "${folder}/CHANGELOG.md" COPYONLY)
configure_file("${PROJECT_SOURCE_DIR}/LICENSE" "${folder}/copyright" COPYONLY)
foreach(file IN ITEMS changelog CHANGELOG.md)
  execute_process(COMMAND gzip -9 -n -k -f "${folder}/${file}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
foreach(package IN ITEMS sluice sluice-dev)
  install(
    FILES "${folder}/copyright" "${folder}/changelog.gz"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${package}"
    COMPONENT ${package})
endforeach()
install(FILES "${folder}/CHANGELOG.md.gz" "${PROJECT_SOURCE_DIR}/README.md"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/sluice")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_CONTACT "${SLUICE_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL sluice sluice-dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_SLUICE_PACKAGE_NAME sluice)
set(CPACK_DEBIAN_SLUICE_PACKAGE_SECTION sound)
set(CPACK_DEBIAN_SLUICE_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_SLUICE_DESCRIPTION
    "Loads plugins that are named in a JSON graph, joins them by lock-free
rings, and keeps audio flowing from devices, files, sockets and pipes
through filters to the same. A graph changes while it plays.")
set(CPACK_DEBIAN_SLUICE-DEV_PACKAGE_NAME sluice-dev)
set(CPACK_DEBIAN_SLUICE-DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_SLUICE-DEV_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_SLUICE-DEV_PACKAGE_RECOMMENDS "sluice, cmake | pkg-config, g++ | c++-compiler")
set(CPACK_COMPONENT_SLUICE-DEV_DESCRIPTION
    "To write plugins with: the C interface, a C++20 layer over it, what CMake
and pkg-config need to build one, and examples. There is no library to
link.")
include(CPack)
