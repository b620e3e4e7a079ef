/* hash.c - adt.c.hash: digests and base64 */
#include "hash.h"
#include "adtL.h"
#include "base/mem.h"
#include "data/digest.h"
#include "modules.h"

#include <string.h>

enum adt_hash adtL_checkhash(lua_State *L, int arg)
{
    static const char *const names[ADT_HASHES + 1] = {"sha256", "sha1", "md5", "crc32", "crc32c", "crc64nvme", NULL};
    return (enum adt_hash)luaL_checkoption(L, arg, NULL, names);
}

/* As lower-case hex unless [raw]. */
static int push_digest(lua_State *L, enum adt_hash hash, const unsigned char *p, bool raw)
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * ADT_DIGEST_MAX];
    size_t n = adt_digest_size(hash);
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[p[i] >> 4];
        hex[2 * i + 1] = digits[p[i] & 15];
    }
    lua_pushlstring(L, raw ? (const char *)p : hex, raw ? n : 2 * n);
    return 1;
}

/* digest(name, text, raw) */
static int hash_digest(lua_State *L)
{
    struct adt_error err;
    unsigned char out[ADT_DIGEST_MAX];
    size_t n;
    enum adt_hash hash = adtL_checkhash(L, 1);
    const char *text = luaL_checklstring(L, 2, &n);
    if (adt_digest_of(hash, text, n, out, &err) < 0)
        return adtL_fail(L, &err);
    return push_digest(L, hash, out, lua_toboolean(L, 3));
}

/* hmac(name, key, text, raw) */
static int hash_hmac(lua_State *L)
{
    struct adt_error err;
    unsigned char out[ADT_DIGEST_MAX];
    size_t n, key_n;
    enum adt_hash hash = adtL_checkhash(L, 1);
    luaL_argcheck(L, hash < ADT_CRC32, 1, "a CRC is no hash");
    const char *key = luaL_checklstring(L, 2, &key_n), *text = luaL_checklstring(L, 3, &n);
    if (adt_digest_hmac(hash, key, key_n, text, n, out, &err) < 0)
        return adtL_fail(L, &err);
    return push_digest(L, hash, out, lua_toboolean(L, 4));
}

/* --- files, on a thread ------------------------------------------------------------------------------------------- */

struct file_job {
    enum adt_hash hash;
    int rc;
    struct adt_error err;
    unsigned char out[ADT_DIGEST_MAX];
    char path[];
};

static void file_run(void *arg)
{
    struct file_job *j = arg;
    j->rc = adt_digest_file(j->hash, j->path, j->out, &j->err);
}

enum { RAW = 3, JOB_SLOT = 4 /* on the stack: a userdata that points to the job, which lives as long as its op */ };

static int file_finish(lua_State *L, struct lop *o)
{
    const struct file_job *j = *(struct file_job **)lua_touserdata(L, JOB_SLOT);
    (void)o;
    if (j->rc < 0)
        return adtL_fail(L, &j->err);
    return push_digest(L, j->hash, j->out, lua_toboolean(L, RAW));
}

/* file(name, path, raw); waits */
static int hash_file(lua_State *L)
{
    struct adt_error err;
    size_t n;
    enum adt_hash hash = adtL_checkhash(L, 1);
    const char *path = adtL_checktext(L, 2, &n);
    lua_settop(L, RAW);
    adtL_checkwait(L, "hash");
    if (adt_digest_ready(hash, &err) < 0)
        return adtL_fail(L, &err);
    struct file_job **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    struct lop *o = adtL_newop(L, 0);
    struct adt_loop *loop = adtL_loop(L);
    struct file_job *j = *slot = adt_zalloc(sizeof *j + n + 1);
    if (!j) {
        adt_error_nomem(&err);
        return adtL_fail(L, &err);
    }
    j->hash = hash;
    memcpy(j->path, path, n + 1);
    if (!(o->op = adt_work_start(loop, file_run, adt_free, j, &err)))
        return adtL_fail(L, &err);
    return adtL_park(L, o, file_finish);
}

/* --- in parts ----------------------------------------------------------------------------------------------------- */

static int tally_close(lua_State *L)
{
    struct ltally *u = luaL_checkudata(L, 1, ADTL_TALLY);
    adt_digest_free(u->d);
    u->d = NULL;
    return 0;
}

struct ltally *adtL_checktally(lua_State *L, int arg)
{
    struct ltally *u = luaL_checkudata(L, arg, ADTL_TALLY);
    luaL_argcheck(L, u->d, arg, "the digest is closed");
    return u;
}

/* new(name) -> tally */
static int hash_new(lua_State *L)
{
    struct adt_error err;
    enum adt_hash hash = adtL_checkhash(L, 1);
    struct ltally *u = adtL_newhandle(L, sizeof *u, ADTL_TALLY, 0);
    u->hash = hash;
    u->d = adt_digest_new(hash, &err);
    return u->d ? 1 : adtL_fail(L, &err);
}

/* tally:add(bytes) */
static int tally_add(lua_State *L)
{
    size_t n;
    struct ltally *u = adtL_checktally(L, 1);
    const char *p = luaL_checklstring(L, 2, &n);
    if (adt_digest_add(u->d, p, n) < 0)
        return luaL_error(L, "OpenSSL refuses to go on");
    return 0;
}

/* tally:finish(raw) -> digest; it begins anew */
static int tally_finish(lua_State *L)
{
    unsigned char out[ADT_DIGEST_MAX];
    struct ltally *u = adtL_checktally(L, 1);
    if (adt_digest_end(u->d, out) < 0)
        return luaL_error(L, "OpenSSL refuses to go on");
    return push_digest(L, u->hash, out, lua_toboolean(L, 2));
}

/* --- base64 ------------------------------------------------------------------------------------------------------- */

static int buf_close(lua_State *L)
{
    adt_buf_free(lua_touserdata(L, 1));
    return 0;
}

static struct adt_buf *new_buf(lua_State *L, size_t max)
{
    static const luaL_Reg meta[] = {{"__gc", buf_close}, {"__close", buf_close}, {NULL, NULL}};
    adtL_newclass(L, "adt.hash.buffer", meta, NULL);
    struct adt_buf *b = adtL_newhandle(L, sizeof *b, "adt.hash.buffer", 0);
    lua_toclose(L, -1);
    adt_buf_init(b, max);
    return b;
}

/* base64_encode(bytes, url) */
static int hash_base64_encode(lua_State *L)
{
    size_t n;
    const char *p = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n <= 1 << 30, 1, "at most 1 GiB");
    struct adt_buf *b = new_buf(L, (n + 2) / 3 * 4);
    if (adt_base64_encode(p, n, lua_toboolean(L, 2), b) < 0)
        return luaL_error(L, "out of memory");
    lua_pushlstring(L, b->p, b->len);
    return 1;
}

/* base64_decode(text) */
static int hash_base64_decode(lua_State *L)
{
    struct adt_error err;
    size_t n;
    const char *p = luaL_checklstring(L, 1, &n);
    struct adt_buf *b = new_buf(L, n + 3);
    if (adt_base64_decode(p, n, b, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushlstring(L, b->p, b->len);
    return 1;
}

int luaopen_adt_c_hash(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", tally_close}, {"__close", tally_close}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"add", tally_add}, {"finish", tally_finish}, {"close", tally_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"digest", hash_digest},
                                         {"hmac", hash_hmac},
                                         {"file", hash_file},
                                         {"new", hash_new},
                                         {"base64_encode", hash_base64_encode},
                                         {"base64_decode", hash_base64_decode},
                                         {NULL, NULL}};
    adtL_newclass(L, ADTL_TALLY, meta, methods);
    luaL_newlib(L, functions);
    return 1;
}
