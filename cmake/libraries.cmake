# The libraries that the rooms link, static where Debian has an archive (docs/internals/build.md says why each).

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# adt_static(NAME VAR HEADER): an imported target adt::NAME from the archive lib[VAR].a
function(adt_static name archive header)
    find_library(ADT_${name}_ARCHIVE NAMES lib${archive}.a REQUIRED)
    find_path(ADT_${name}_INCLUDE ${header} PATH_SUFFIXES lua5.4 REQUIRED)
    add_library(adt::${name} STATIC IMPORTED GLOBAL)
    set_target_properties(adt::${name} PROPERTIES
        IMPORTED_LOCATION ${ADT_${name}_ARCHIVE}
        INTERFACE_INCLUDE_DIRECTORIES ${ADT_${name}_INCLUDE})
endfunction()

adt_static(lua lua5.4 lua.h)
adt_static(uv uv_a uv.h)
adt_static(yajl yajl_s yajl/yajl_parse.h)
adt_static(yaml yaml yaml.h)
adt_static(z z zlib.h)
set_target_properties(adt::uv PROPERTIES INTERFACE_LINK_LIBRARIES "Threads::Threads;dl;rt")
set_target_properties(adt::lua PROPERTIES INTERFACE_LINK_LIBRARIES "m;dl")
pkg_check_modules(ADT_CRYPTO REQUIRED IMPORTED_TARGET GLOBAL libcrypto)
pkg_check_modules(ADT_CURL REQUIRED IMPORTED_TARGET GLOBAL libcurl)
