/* main.c - the program is the library's first user */
#include "adt.h"

int main(int argc, char **argv)
{
    return adt_program(argc, argv);
}
