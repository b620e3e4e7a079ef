# adt_embed_lua(TARGET ROOT...): every .lua file below each ROOT becomes a module of the program, named by its path
# ("ROOT/adt/fs.lua" is adt.fs), every .json file a data file of that path, packed. Two files of one name fail the build.

function(adt_embed_lua target)
    set(args "")
    set(files "")
    foreach(root ${ARGN})
        file(GLOB_RECURSE found CONFIGURE_DEPENDS RELATIVE ${root} ${root}/*.lua ${root}/*.json)
        # For editors only.
        list(FILTER found EXCLUDE REGEX "^meta/")
        foreach(file ${found})
            list(APPEND args ${file} ${root}/${file})
            list(APPEND files ${root}/${file})
        endforeach()
    endforeach()
    set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded.c)
    add_custom_command(OUTPUT ${out}
        COMMAND adt_embed ${out} ${args}
        DEPENDS adt_embed ${files} VERBATIM
        COMMENT "Embedding Lua modules and data")
    target_sources(${target} PRIVATE ${out})
endfunction()
