--- Paths as text.
local errors = require "adt.error"
local path = require "adt.path"
local process = require "adt.process"
local support = require "support"

after_each(support.no_leaks)

describe("a path", function()
  it("is joined from parts", function()
    assert.equal("a/b/c", path.join("a", "b", "c"))
    assert.equal("a/b", path.join("a/", "", "b"))
    assert.equal("/b/c", path.join("a", "/b", "c"))
    assert.equal("/x", path.join("/", "x"))
    assert.equal("", path.join())
  end)

  it("is taken apart", function()
    for text, want in pairs {
      ["a/b.c"] = { "a", "b.c", ".c", "b" }, ["/a"] = { "/", "a", "", "a" }, ["a"] = { ".", "a", "", "a" },
      ["a/b/"] = { "a", "b", "", "b" }, ["/"] = { ".", "/", "", "/" }, ["x.tar.gz"] = { ".", "x.tar.gz", ".gz", "x.tar" },
      [".bashrc"] = { ".", ".bashrc", "", ".bashrc" }, ["a//b"] = { "a", "b", "", "b" }, [""] = { ".", "", "", "" },
    } do
      local dir = text == "/" and "." or path.dir(text)
      assert.same(want, { dir, path.name(text), path.ext(text), path.stem(text) }, text)
    end
    assert.equal("/", path.dir "/")
  end)

  it("is normalised", function()
    for text, want in pairs {
      ["a/./b//c/"] = "a/b/c", ["a/../b"] = "b", ["../a"] = "../a", ["/../a"] = "/a", ["a/.."] = ".", [""] = ".",
      ["/"] = "/", ["../../x"] = "../../x", ["a/../../b"] = "../b", ["//a"] = "/a",
    } do
      assert.equal(want, path.normalize(text), text)
    end
  end)

  it("is made absolute and relative", function()
    assert.equal("/b", path.absolute("../b", "/a"))
    assert.equal("/a/b", path.absolute("b", "/a"))
    assert.equal(require("adt.fs").cwd() .. "/x", path.absolute "x")
    assert.equal("../c/d", path.relative("/a/c/d", "/a/b"))
    assert.equal(".", path.relative("/a", "/a/"))
    assert.equal("..", path.relative("/a", "/a/b"))
    assert.is_true(path.is_below("/a/b", "/a") and path.is_below("/a", "/a") and path.is_below("/a", "/"))
    assert.is_false(path.is_below("/ab", "/a") or path.is_below("/a/../b", "/a"))
    assert.is_true(path.is_absolute "/x" and not path.is_absolute "x")
  end)

  it("has its home expanded", function()
    local home = process.env "HOME"
    process.setenv("HOME", "/home/me")
    assert.same({ "/home/me", "/home/me/x", "~you/x", "a/~" },
      { path.expand "~", path.expand "~/x", path.expand "~you/x", path.expand "a/~" })
    process.setenv("HOME", "/")
    assert.equal("/x", path.expand "~/x")
    process.setenv("HOME", nil)
    assert.matches("^/", path.expand "~/x")
    process.setenv("HOME", home)
  end)

  it("holds no NUL byte and is a string", function()
    for _, f in ipairs { path.join, path.dir, path.name, path.ext, path.normalize, path.absolute, path.expand } do
      for _, bad in ipairs { "a\0b", 7, {} } do
        local ok, err = pcall(f, bad)
        assert.is_true(not ok and errors.is(err) and err.cause == "usage", tostring(err))
      end
    end
  end)
end)
