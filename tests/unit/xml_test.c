/* xml_test.c - the XML reader: what it takes, what it refuses and where it says so */
#include "data/xml.h"

#include "base/mem.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

/* Tokens as one line: (name attr=value) text {...} and ')' at the end of an element; "!code where" for an error. */
static const char *walk_text(const char *text, size_t n, const struct adt_xml_options *opt)
{
    static char out[4096];
    struct adt_error err = {0};
    struct adt_xml x;
    struct adt_buf b;
    adt_buf_init(&b, sizeof out - 200);
    int rc = adt_xml_begin(&x, text, n, opt, &err);
    enum adt_xml_token token = ADT_XML_ERROR;
    while (rc == 0 && (token = adt_xml_next(&x)) > ADT_XML_ERROR && token != ADT_XML_DONE) {
        if (token == ADT_XML_START)
            adt_buf_addf(&b, "(%.*s", (int)x.name_n, x.name);
        for (size_t i = 0; token == ADT_XML_START && i < x.attribute_count; i++) {
            const char *value;
            size_t value_n;
            if (adt_xml_attribute(&x, &x.attributes[i], &value, &value_n) < 0)
                abort();
            adt_buf_addf(&b, " %.*s=%.*s", (int)x.attributes[i].raw_n, x.attributes[i].raw, (int)value_n, value);
        }
        if (token == ADT_XML_TEXT)
            adt_buf_addf(&b, "{%.*s}", (int)x.value_n, x.value);
        if (token == ADT_XML_END)
            adt_buf_adds(&b, ")");
    }
    if (rc < 0 || token == ADT_XML_ERROR)
        adt_buf_addf(&b, "!%s %s: %s", err.code, err.where, err.message);
    adt_xml_end(&x);
    snprintf(out, sizeof out, "%s", b.p ? b.p : "");
    adt_buf_free(&b);
    return out;
}

/* From memory that ends with the text, so that a sanitizer sees a byte too many. */
static const char *walk(const char *text)
{
    size_t n = strlen(text);
    char *exact = adt_alloc(n ? n : 1);
    memcpy(exact, text, n);
    const char *out = walk_text(exact, n, NULL);
    adt_free(exact);
    return out;
}

static void is(const char *text, const char *want, const char *title)
{
    const char *got = walk(text);
    if (!ok(strcmp(got, want) == 0, "%s", title))
        printf("# %s\n# gave %s\n# not  %s\n", text, got, want);
}

static void refused(const char *text, const char *code_where, const char *title)
{
    const char *got = strchr(walk(text), '!');
    if (!ok(got && strncmp(got + 1, code_where, strlen(code_where)) == 0, "%s is refused", title))
        printf("# %s\n# gave %s\n# not  !%s\n", text, got ? got : "no error", code_where);
}

static void test_accepted(void)
{
    is("<a/>", "(a)", "a self-closing element is a start and an end");
    is("<a ></a\n>", "(a)", "blanks before '>' are nothing");
    is("\xEF\xBB\xBF<?xml version = '1.0'?>\n<!-- - -->\n<a>x</a><?pi?>\n", "(a{x})",
       "mark, declaration, comments and instructions are passed over");
    is("<s:a xmlns:s='u'><s:b:c s:x=\"1\"/></s:a>", "(a xmlns:s=u(c s:x=1))", "the name is what is behind the prefix");
    is("<a>x<![CDATA[<&]]]>]]>y<!--c-->z</a>", "(a{x}{<&]}{]]>y}{z})", "CDATA ends at the first ]]>");
    is("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#x20AC;&#128512;&#xe9;</a>",
       "(a{<>&\"'AB\xE2\x82\xAC\xF0\x9F\x98\x80\xC3\xA9})", "references are resolved");
    is("<a>&#xD;&#10;</a>", "(a{\r\n})", "a written-out line end stays as it is");
    is("<a b='1\r\n2\t3'>x\r\ny\rz</a>", "(a b=1 2 3{x\ny\nz})", "line ends become one form, blanks in attributes too");
    is("<a b='&lt;&quot;' c=\"'\"/>", "(a b=<\" c=')", "attributes hold references and the other quote");
    is("<\xC3\xA9t\xC3\xA9.-1>\xE2\x82\xAC</\xC3\xA9t\xC3\xA9.-1>", "(\xC3\xA9t\xC3\xA9.-1{\xE2\x82\xAC})",
       "names and text are any UTF-8");
}

static void test_refused(void)
{
    refused("", "BadXml line 1, column 1", "nothing");
    refused(" \n ", "BadXml line 2, column 2", "blanks alone");
    refused("x<a/>", "BadXml line 1, column 1", "text before the root");
    refused("<a/>\nx", "BadXml line 2, column 1", "text behind the root");
    refused("<a/><b/>", "BadXml line 1, column 5", "a second root");
    refused("<a><b></a></b>", "BadXml line 1, column 7", "a tag closed by another");
    refused("<ab></a>", "BadXml line 1, column 9", "an end that is too short");
    refused("<a></ab>", "BadXml line 1, column 4", "an end that is too long");
    refused("</a>", "BadXml line 1, column 1", "an end without a start");
    refused("<!DOCTYPE a><a/>", "BadXml line 1, column 1", "a document type");
    refused("<!doctype html>\n<html></html>", "BadXml line 1, column 1", "an HTML page");
    refused("<a><![XDATA[]]></a>", "BadXml line 1, column 4", "a section that is no CDATA");
    refused("<![CDATA[x]]><a/>", "BadXml line 1, column 1", "CDATA outside the root");
    refused("<a>&nbsp;</a>", "BadXml line 1, column 4", "an unknown entity");
    refused("<a>x & y</a>", "BadXml line 1, column 6", "a bare '&'");
    refused("<a>&#0;</a>", "BadXml line 1, column 4", "the character 0");
    refused("<a>&#xD800;</a>", "BadXml line 1, column 4", "half a surrogate pair");
    refused("<a>&#x110000;</a>", "BadXml line 1, column 4", "a character beyond Unicode");
    refused("<a>&#99999999999999999999999;</a>", "BadXml line 1, column 4", "a number that runs over");
    refused("<a>&#xFFFE;</a>", "BadXml line 1, column 4", "a reference to no character");
    refused("<a>&#;&#x;</a>", "BadXml line 1, column 4", "a reference without digits");
    refused("<a b='&x;'/>", "BadXml line 1, column 7", "an unknown entity in an attribute");
    refused("<a b='<'/>", "BadXml line 1, column 7", "'<' in an attribute");
    refused("<a b=1/>", "BadXml line 1, column 6", "an attribute without quotes");
    refused("<a b/>", "BadXml line 1, column 5", "an attribute without a value");
    refused("<a b='1'c='2'/>", "BadXml line 1, column 9", "attributes without a blank between");
    refused("<a b='1' b='2'/>", "BadXml line 1, column 10", "an attribute that comes twice");
    refused("<1a/>", "BadXml line 1, column 1", "a name that begins with a digit");
    refused("< a/>", "BadXml line 1, column 1", "'<' and a blank");
    refused("<a:/>", "BadXml line 1, column 1", "a prefix without a name");
    refused("<a><!-- -- --></a>", "BadXml line 1, column 9", "'--' in a comment");
    refused("<a/><?xml version='1.0'?>", "BadXml line 1, column 5", "a declaration at the end");
    refused("<a>\n\x01</a>", "BadXml line 2, column 1", "a control character");
    refused("<a>0123456789\xFF</a>", "BadXml line 1, column 14", "a byte that is no UTF-8");
    refused("<a>\xEF\xBF\xBE</a>", "BadXml line 1, column 6", "U+FFFE");
    refused("<a>\xE2\x82", "BadXml line 1, column 6", "half a character at the end");
}

static void test_bounds(void)
{
    char text[2048];
    struct adt_xml_options opt = {.max_depth = 3, .name = "answer.xml"};
    ok(strstr(walk_text("<a><b><c/></b></a>", 18, &opt), "!") == NULL, "as many levels as allowed are fine");
    ok(strstr(walk_text("<a><b><c><d/></c></b></a>", 25, &opt), "!TooDeep answer.xml:1:10: "), "one level more is not");
    opt = (struct adt_xml_options){.max_size = 4};
    ok(strcmp(walk_text("<a/>", 4, &opt), "(a)") == 0, "as many bytes as allowed are fine");
    ok(strstr(walk_text("<a/> ", 5, &opt), "!TooBig "), "one byte more is not");
    for (int count = ADT_XML_ATTRIBUTES; count <= ADT_XML_ATTRIBUTES + 1; count++) {
        size_t n = (size_t)snprintf(text, sizeof text, "<a");
        for (int i = 0; i < count; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, " a%d='%d'", i, i);
        snprintf(text + n, sizeof text - n, "/>");
        ok((strstr(walk(text), "!TooBig") != NULL) == (count > ADT_XML_ATTRIBUTES), "%d attributes are %s", count,
           count > ADT_XML_ATTRIBUTES ? "too many" : "fine");
    }
    size_t n = 0;
    for (int i = 0; i < ADT_XML_DEPTH + 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "<a>");
    ok(strstr(walk(text), "!TooDeep"), "more levels than the reader has are refused without options");
}

static void test_every_cut(void)
{
    static const char text[] = "\xEF\xBB\xBF<?xml version='1.0'?><!--c--><s:a x='&lt;1' y=\"2\"><b/>t&amp;u"
                               "<![CDATA[v]]><c>\xE2\x82\xAC</c><?p q?></s:a>";
    size_t good = 0, n = sizeof text - 1;
    for (size_t cut = 0; cut < n; cut++) {
        char *exact = adt_alloc(cut ? cut : 1);
        memcpy(exact, text, cut);
        good += strstr(walk_text(exact, cut, NULL), "!BadXml") != NULL;
        adt_free(exact);
    }
    ok(good == n, "a text cut at any of its %zu places is refused", n);
    ok(strcmp(walk(text), "(a x=<1 y=2(b){t&u}{v}(c{\xE2\x82\xAC}))") == 0, "and the whole of it is not");
}

static void test_helpers(void)
{
    static const char text[] = "<r>x<a>1</a><b>2&amp;<!--c-->3<i>no</i>no</b><c/><d><e><f/></e></d> <g>7</g></r>";
    struct adt_error err = {0};
    struct adt_xml x;
    const char *value;
    size_t n;
    adt_xml_begin(&x, text, sizeof text - 1, NULL, &err);
    ok(adt_xml_child(&x) == 1 && x.name_n == 1 && *x.name == 'r', "the root is a child");
    ok(adt_xml_child(&x) == 1 && adt_xml_text(&x, &value, &n) == 0 && n == 1 && value == text + 7,
       "text without references points into the text");
    ok(adt_xml_child(&x) == 1 && adt_xml_text(&x, &value, &n) == 0 && n == 3 && memcmp(value, "2&3", 3) == 0,
       "the text of an element is all up to its first child");
    struct adt_xml_mark mark = adt_xml_mark(&x);
    ok(adt_xml_child(&x) == 1 && adt_xml_text(&x, &value, &n) == 0 && n == 0, "the text of an empty element is empty");
    ok(adt_xml_child(&x) == 1 && *x.name == 'd' && adt_xml_skip(&x) == 0, "an element can be passed over");
    ok(adt_xml_child(&x) == 1 && *x.name == 'g' && adt_xml_skip(&x) == 0 && adt_xml_child(&x) == 0,
       "the end of the parent is no child");
    adt_xml_rewind(&x, mark);
    ok(x.depth == 1 && adt_xml_child(&x) == 1 && *x.name == 'c' && adt_xml_skip(&x) == 0 && adt_xml_child(&x) == 1 &&
           *x.name == 'd',
       "a reader can go back to where it was");
    ok(adt_xml_fail(&x, "Odd", "%d", 5) == -1 && strcmp(err.message, "bad XML: 5") == 0 &&
           strcmp(err.where, "line 1, column 53") == 0,
       "an error of the caller's is placed by the reader");
    adt_xml_end(&x);
}

int main(void)
{
    test_accepted();
    test_refused();
    test_bounds();
    test_every_cut();
    test_helpers();
    return tap_done();
}
