/* curl.c - opening libcurl
 *
 * Linked, it would make the program start five to eight times slower; most runs never speak HTTP. */
#include "net/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static struct adt_curl curl;
static char why[200]; /* empty: all is there */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *symbol(void *lib, const char *name)
{
    void *p = dlsym(lib, name);
    if (!p)
        snprintf(why, sizeof why, "libcurl.so.4 has no %s", name);
    return p;
}

static void open_library(void)
{
    void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        snprintf(why, sizeof why, "%s", dlerror());
        return;
    }
#define S(name) *(void **)&curl.name = symbol(lib, "curl_" #name)
    S(global_init);
    S(easy_strerror);
    S(easy_init);
    S(easy_setopt);
    S(easy_getinfo);
    S(easy_pause);
    S(easy_cleanup);
    S(multi_init);
    S(multi_setopt);
    S(multi_add_handle);
    S(multi_remove_handle);
    S(multi_assign);
    S(multi_socket_action);
    S(multi_info_read);
    S(multi_cleanup);
    S(slist_append);
    S(slist_free_all);
    S(url);
    S(url_set);
    S(url_get);
    S(url_cleanup);
    S(free);
#undef S
    CURLcode rc = why[0] ? CURLE_OK : curl.global_init(CURL_GLOBAL_DEFAULT);
    if (rc != CURLE_OK)
        snprintf(why, sizeof why, "it does not start: %s", curl.easy_strerror(rc));
}

const struct adt_curl *adt_curl_open(struct adt_error *err)
{
    pthread_once(&once, open_library);
    if (!why[0])
        return &curl;
    adt_error_set(err, ADT_CONFIG, "NoLibcurl", "HTTP needs libcurl: %s", why);
    adt_error_hint(err, "install it (Debian, Ubuntu: apt-get install libcurl4)");
    return NULL;
}
