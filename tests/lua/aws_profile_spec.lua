--- The shared files of the AWS tools: what the parser makes of them, which profile is taken, which region.
local cprofile = require "adt.c.awsprofile"
local fs = require "adt.fs"
local profile = require "adt.aws.profile"
local region = require "adt.aws.region"
local support = require "support"

after_each(support.no_leaks)

-- { title, text, what comes of it: profiles, or a table with profiles, sso_sessions, services }
local CONFIG = {
  { "an empty file has no profiles", "", {} },
  { "a profile may be empty", "[profile foo]", { foo = {} } },
  { "the default profile needs no prefix", "[default]\na=1", { default = { a = "1" } } },
  { "the default profile may have the prefix", "[profile default]\na=1", { default = { a = "1" } } },
  { "names have letters, digits and - _ / . % @ : +", "[profile a-B_1/c.d%e@f:g+]", { ["a-B_1/c.d%e@f:g+"] = {} } },
  { "another character in a name makes it none", "[profile foo!bar]\na=1\n[profile b]", { b = {} } },
  { "a blank in a name makes it none", "[profile in valid]\na=1\n[profile b]\nc=2", { b = { c = "2" } } },
  { "blanks around a name do not count", "[  profile \t foo\t ]\na=1", { foo = { a = "1" } } },
  { "a tab may follow the prefix", "[profile\tfoo]", { foo = {} } },
  { "a prefix without a blank is none", "[profilefoo]\na=1\n[profile b]", { b = {} } },
  { "a profile without the prefix is ignored", "[foo]\na=1\n[default]", { default = {} } },
  { "names of profiles keep their case", "[profile Foo]\na=1\n[profile foo]\na=2", { Foo = { a = "1" }, foo = { a = "2" } } },
  { "the prefix has its case, too", "[Profile foo]\na=1", {} },
  { "lines may end as on Windows", "[profile foo]\r\na = 1\r\nb = 2\r\n", { foo = { a = "1", b = "2" } } },
  { "a byte order mark does not count", "\xEF\xBB\xBF[default]\na=1", { default = { a = "1" } } },
  { "a last line needs no end", "[default]\na = 1", { default = { a = "1" } } },
  { "blank lines do not count", " \t\n[default]\n\n \na=1\n\t\n", { default = { a = "1" } } },
  { "values may hold '='", "[default]\na = b=c==", { default = { a = "b=c==" } } },
  { "values may hold any UTF-8", "[default]\na = ä😂", { default = { a = "ä😂" } } },
  { "values may hold blanks", "[default]\na = b c\td", { default = { a = "b c\td" } } },
  { "values may hold brackets", "[default]\na = [b]", { default = { a = "[b]" } } },
  { "names and values are trimmed", "[default]\na \t=\t  b \t", { default = { a = "b" } } },
  { "a value may be empty", "[default]\na =\nb=1", { default = { a = "", b = "1" } } },
  { "names of properties are in lower case", "[default]\nReGion = X", { default = { region = "X" } } },
  { "a name with a blank is no property", "[default]\nin valid = 1\nb=2", { default = { b = "2" } } },
  { "what goes on with no property is ignored with it", "[default]\nin valid = 1\n more\nb=2", { default = { b = "2" } } },
  { "a later property replaces an earlier one", "[default]\na=1\nA=2", { default = { a = "2" } } },
  { "a profile that comes twice is one", "[profile a]\nx=1\n[profile b]\n[profile a]\ny=2", { a = { x = "1", y = "2" }, b = {} } },
  { "and its later properties win", "[profile a]\nx=1\ny=1\n[profile a]\ny=2", { a = { x = "1", y = "2" } } },
  { "[profile default] before [default] wins", "[profile default]\na=1\n[default]\nb=2", { default = { a = "1" } } },
  { "[profile default] after [default] wins", "[default]\nb=2\n[profile default]\na=1", { default = { a = "1" } } },
  { "several [profile default] are one", "[profile default]\na=1\n[default]\nb=2\n[profile default]\nc=3",
    { default = { a = "1", c = "3" } } },
  { "'#' and ';' begin lines that do not count", "# a\n;b\n[default]\n#c=1\n;d=2\ne=3", { default = { e = "3" } } },
  { "an indented comment is one, too", "[default]\n  # a\na=1\n  ; b\nc=2", { default = { a = "1", c = "2" } } },
  { "a comment may follow a section, with or without a blank", "[profile a];x\n[profile b]#x\n[profile c] # x", { a = {}, b = {}, c = {} } },
  { "a comment behind a value needs a blank", "[default]\na = v ; x\nb = v # x\nc = v\t# x", { default = { a = "v", b = "v", c = "v" } } },
  { "without a blank it is the value's", "[default]\na = v; x\nb = v#x", { default = { a = "v; x", b = "v#x" } } },
  { "a comment may leave a value empty", "[default]\na = # x\nb=1", { default = { a = "", b = "1" } } },
  { "a value goes on in lines that begin with a blank", "[default]\na = b\n c\n\td", { default = { a = "b\nc\nd" } } },
  { "such lines are trimmed", "[default]\na = b\n \t c \t", { default = { a = "b\nc" } } },
  { "such lines keep their comments", "[default]\na = b\n c # d\n e ; f", { default = { a = "b\nc # d\ne ; f" } } },
  { "blank lines do not end them", "[default]\na = b\n\n c", { default = { a = "b\nc" } } },
  { "such a line may hold '='", "[default]\na = b\n c = d", { default = { a = "b\nc = d" } } },
  { "properties nest below an empty value", "[default]\ns3 =\n  A = 1\n  b=2\nc=3", { default = { s3 = { a = "1", b = "2" }, c = "3" } } },
  { "nested values may be empty", "[default]\ns3 =\n a =\n b = 1", { default = { s3 = { a = "", b = "1" } } } },
  { "nested names with blanks are ignored", "[default]\ns3 =\n in valid = 1\n b=2", { default = { s3 = { b = "2" } } } },
  { "comments among the nested do not count", "[default]\ns3 =\n # x\n a = 1 # y\n;z\n b = 2", { default = { s3 = { a = "1", b = "2" } } } },
  { "blank lines among the nested do not count", "[default]\ns3 =\n\n a = 1\n \t\n b = 2", { default = { s3 = { a = "1", b = "2" } } } },
  { "nested ones are replaced as a whole", "[default]\ns3 =\n a = 1\ns3 =\n b = 2", { default = { s3 = { b = "2" } } } },
  { "and by a plain value", "[default]\ns3 =\n a = 1\ns3 = x", { default = { s3 = "x" } } },
  { "sessions stand beside profiles", "[sso-session s]\na=1\n[profile s]\nb=2",
    { profiles = { s = { b = "2" } }, sso_sessions = { s = { a = "1" } }, services = {} } },
  { "sessions that come twice are one", "[sso-session s]\na=1\n[sso-session s]\nb=2",
    { profiles = {}, sso_sessions = { s = { a = "1", b = "2" } }, services = {} } },
  { "services nest", "[services dev]\nec2 =\n endpoint_url = http://127.0.0.1:1\ns3 =\n endpoint_url = http://127.0.0.1:2",
    { profiles = {}, sso_sessions = {}, services = { dev = {
      ec2 = { endpoint_url = "http://127.0.0.1:1" }, s3 = { endpoint_url = "http://127.0.0.1:2" } } } } },
  { "the aws program's own sections do not matter", "[plugins]\ncli_legacy_plugin_path = x\n[default]\na=1", { default = { a = "1" } } },
}

local CREDENTIALS = {
  { "a profile is its name alone", "[default]\na=1\n[foo]\nb=2", { default = { a = "1" }, foo = { b = "2" } } },
  { "one with the prefix is ignored", "[profile foo]\na=1\n[bar]", { bar = {} } },
  { "blanks around a name do not count", "[ foo ]\na=1", { foo = { a = "1" } } },
  { "a session's word without a blank is a name", "[sso-sessionfoo]\na=1", { ["sso-sessionfoo"] = { a = "1" } } },
  { "there are no sessions and services", "[sso-session a]\nb=1\n[services c]\n[d]", { d = {} } },
}

-- { title, text, line, a word of the message }
local REFUSED = {
  { "a section that does not close", "[profile foo", 1, "must end with ']'" },
  { "text behind a section", "[profile foo] bar", 1, "must end with ']'" },
  { "a '#' in a section's name", "[profile a#b]", 1, "must end with ']'" },
  { "a property before all sections", "\na = 1", 2, "before the first section" },
  { "an indented line before all sections", " a", 1, "before the first section" },
  { "a line without '='", "[default]\na : 1", 2, "without a '='" },
  { "a line without a name", "[default]\n= 1", 2, "without a name" },
  { "an indented line below a section", "[default]\n a", 2, "goes on with no property" },
  { "an indented line below a section that comes again", "[profile a]\nb=1\n[profile a]\n c", 4, "goes on with no property" },
  { "a nested line without '='", "[default]\ns3 =\n a", 3, "nested property without a '='" },
  { "a nested line without a name", "[default]\ns3 =\n = 1", 3, "nested property without a name" },
  { "a bad line of a section that is ignored", "[in valid]\na", 2, "without a '='" },
  { "bytes that are not UTF-8", "[default]\na=1\nb=\xC3\x28", 3, "not UTF-8" },
  { "a NUL byte", "[default]\na=\0", 2, "NUL" },
}

local function parsed(text, kind)
  return assert(cprofile.parse(text, "FILE", kind))
end

describe("the parser of the shared files:", function()
  for _, case in ipairs(CONFIG) do
    it(case[1], function()
      local got, want = parsed(case[2], "config"), case[3]
      got.warnings = nil
      assert.same(want.services and want or { profiles = want, sso_sessions = {}, services = {} }, got)
    end)
  end
  for _, case in ipairs(CREDENTIALS) do
    it("in the credentials file " .. case[1], function()
      assert.same(case[3], parsed(case[2], "credentials").profiles)
    end)
  end
  for _, case in ipairs(REFUSED) do
    it("refuses " .. case[1], function()
      local got, err = cprofile.parse(case[2], "FILE", "config")
      assert.is_nil(got)
      assert.same({ "config", "FILE:" .. case[3] }, { err.cause, err.where })
      assert.is_truthy(err.message:find(case[4], 1, true), err.message)
    end)
  end

  it("tells what it ignores, with the line", function()
    assert.same({
      "FILE:1: [foo] is ignored: a profile in this file is written [profile NAME]",
      "FILE:2: [profile a b] is ignored: its name has characters other than letters, digits and - _ / . % @ : +",
      "FILE:4: [default] is ignored: there is a [profile default], too",
      "FILE:5: a property is ignored: its name has characters other than letters, digits and - _ / . % @ : +",
    }, (function()
      local text = "[foo]\n[profile a b]\n[profile default]\n[default]\n[profile x]\n"
      local warnings = parsed(text, "config").warnings
      warnings[4] = parsed("\n\n\n[default]\nx y = SECRET", "config").warnings[1]
      return warnings
    end)())
    assert.same({ "FILE:1: [profile a] is ignored: a profile in this file is written [NAME], without \"profile\"" },
      parsed("[profile a]", "credentials").warnings)
  end)

  it("says nothing of what a bad line holds", function()
    for _, text in ipairs { "[default]\nwJalrXUtnFEMI", "[default]\n s3cret", "[default]\n=s3cret", "[default]\na=\n s3cret" } do
      local _, err = cprofile.parse(text, "FILE", "config")
      assert.is_nil(tostring(err):find "wJalr")
      assert.is_nil(tostring(err):find "s3cret")
    end
  end)
end)

-- A home folder with both files; the environment that goes with it.
local function home(config, credentials)
  local dir = support.tempdir()
  fs.mkdir(dir / ".aws")
  if config then fs.write(dir / ".aws/config", config) end
  if credentials then fs.write(dir / ".aws/credentials", credentials) end
  return dir, { HOME = dir.path or tostring(dir) }
end

describe("a profile", function()
  it("is the default one, which may be nowhere", function()
    local dir <close>, environ = home()
    local p = profile.load { environ = environ }
    assert.same({ "default", "default", false, {} }, { p.name, p.chosen, p.exists, p.read })
    assert.is_nil(p:get "region")
    assert.same(dir / ".aws/config", p.files.config)
    assert.same({}, p:services())
  end)

  it("is named by the option, AWS_PROFILE, AWS_DEFAULT_PROFILE", function()
    local dir <close>, environ = home("[profile a]\nx=a\n[profile b]\nx=b\n[profile c]\nx=c")
    assert.is_not_nil(dir)
    environ.AWS_DEFAULT_PROFILE = "c"
    assert.same({ "c", "AWS_DEFAULT_PROFILE" }, { profile.load { environ = environ }.name, profile.load { environ = environ }.chosen })
    environ.AWS_PROFILE = "b"
    assert.same({ "b", "AWS_PROFILE" }, { profile.load { environ = environ }.name, profile.load { environ = environ }.chosen })
    local p = profile.load { environ = environ, profile = "a" }
    assert.same({ "a", "option", "a" }, { p.name, p.chosen, p:get "x" })
    environ.AWS_PROFILE = ""
    assert.equal("c", profile.load({ environ = environ }).name)
  end)

  it("has the properties of both files, and the credentials file wins", function()
    local dir <close>, environ = home("[profile a]\nx=1\ny=1\nempty=\nnested=\n b=1", "[a]\ny=2\nz=2")
    assert.is_not_nil(dir)
    local p = profile.load { environ = environ, profile = "a" }
    assert.same({ "1", "2", "2" }, { p:get "x", p:get "y", p:get "z" })
    assert.same({ "", { b = "1" } }, { p:get "empty", p:get "nested" })
    assert.is_nil(p:text "empty")
    assert.is_nil(p:text "nested")
    assert.equal(2, #p.read)
  end)

  it("that is named and nowhere is an error which knows the others", function()
    local dir <close>, environ = home("[profile dev]\n", "[prod]\n")
    assert.is_not_nil(dir)
    local err = support.refusal(profile.load, { environ = environ, profile = "dve" })
    assert.same({ "config", "NoProfile", "did you mean 'dev'?" }, { err.cause, err.code, err.hint })
    assert.is_truthy(err.message:find("known: dev, prod", 1, true))
    environ.AWS_PROFILE = "elsewhere"
    err = support.refusal(profile.load, { environ = environ })
    assert.is_truthy(err.message:find("$AWS_PROFILE", 1, true))
    assert.is_truthy(err.hint:find("[profile elsewhere]", 1, true))
  end)

  it("reads the files that the environment names, and says when they are not there", function()
    local dir <close>, environ = home()
    fs.write(dir / "c", "[profile a]\nx=1")
    environ.AWS_CONFIG_FILE, environ.AWS_SHARED_CREDENTIALS_FILE, environ.AWS_PROFILE = "~/c", dir / "none", "a"
    local p = profile.load { environ = environ }
    assert.equal("1", p:get "x")
    assert.equal(1, #p.warnings)
    assert.is_truthy(p.warnings[1]:find("$AWS_SHARED_CREDENTIALS_FILE", 1, true))
  end)

  it("of a file that cannot be understood is an error with file and line", function()
    local dir <close>, environ = home("[default]\nregion us-east-1\n")
    local err = support.refusal(profile.load, { environ = environ })
    assert.same({ "config", "BadProfile", dir / ".aws/config:2" }, { err.cause, err.code, err.where })
    fs.remove(dir / ".aws/config")
    fs.mkdir(dir / ".aws/config")
    err = support.refusal(profile.load, { environ = environ })
    assert.same({ "config", dir / ".aws/config" }, { err.cause, err.where })
  end)

  it("has services and sessions", function()
    local dir <close>, environ = home("[profile a]\nservices=dev\n[services dev]\nec2 =\n endpoint_url = u\nother = x\n"
      .. "[profile b]\nservices=dve\n[sso-session s]\nsso_region = r")
    assert.is_not_nil(dir)
    local p = profile.load { environ = environ, profile = "a" }
    assert.same({ ec2 = { endpoint_url = "u" } }, p:services())
    assert.same({ sso_region = "r" }, p:sso_session "s")
    local err = support.refusal(p.sso_session, p, "q")
    assert.same({ "config", "NoSection" }, { err.cause, err.code })
    p = p:other "b"
    err = support.refusal(p.services, p)
    assert.same({ "config", "NoSection", "did you mean 'dev'?" }, { err.cause, err.code, err.hint })
    err = support.refusal(p.other, p, "c")
    assert.is_truthy(err.message:find("the profile 'b' names", 1, true))
  end)

  it("needs no home folder", function()
    local p = profile.load { environ = {} }
    assert.is_nil(p.files.config)
    assert.same({}, p.read)
  end)

  it("takes no other option", function()
    assert.equal("did you mean 'profile'?", support.refusal(profile.load, { profil = "a" }).hint)
    assert.equal("usage", support.refusal(profile.load, { profile = 1 }).cause)
  end)
end)

describe("the region", function()
  local function found(environ, options)
    options = options or {}
    options.environ, options.metadata = environ, false
    return { region.find(options) }
  end

  it("is the option's, AWS_REGION's, AWS_DEFAULT_REGION's, the profile's", function()
    local dir <close>, environ = home("[default]\nregion = eu-west-1\n[profile a]\nregion = eu-west-2")
    assert.is_not_nil(dir)
    assert.same({ "eu-west-1", "profile default" }, found(environ))
    assert.same({ "eu-west-2", "profile a" }, found(environ, { profile = "a" }))
    assert.same({ "eu-west-2", "profile a" }, found(environ, { profile = profile.load { environ = environ, profile = "a" } }))
    environ.AWS_DEFAULT_REGION = "us-west-1"
    assert.same({ "us-west-1", "AWS_DEFAULT_REGION" }, found(environ))
    environ.AWS_REGION = "us-west-2"
    assert.same({ "us-west-2", "AWS_REGION" }, found(environ, { profile = "a" }))
    assert.same({ "us-gov-west-1", "option" }, found(environ, { region = "us-gov-west-1" }))
  end)

  it("that is nowhere is an error which tells every place", function()
    local dir <close>, environ = home()
    local err = support.refusal(found, environ)
    assert.same({ "config", "NoRegion" }, { err.cause, err.code })
    for _, word in ipairs { "AWS_REGION", "AWS_DEFAULT_REGION", "profile 'default'", dir / ".aws/config", "metadata was not asked" } do
      assert.is_truthy(err.message:find(word, 1, true), word)
    end
    environ.AWS_EC2_METADATA_DISABLED = "true"
    err = support.refusal(region.find, { environ = environ })
    assert.is_truthy(err.message:find("AWS_EC2_METADATA_DISABLED", 1, true), err.message)
  end)

  it("that cannot be one is refused, as it would become part of a host's name", function()
    for _, bad in ipairs { "evil.example/", "us east", "", ("a"):rep(64), "-a", 7 } do
      assert.same("BadRegion", support.refusal(found, {}, { region = bad }).code)
    end
    local err = support.refusal(found, { AWS_REGION = "a@b" })
    assert.same({ "config", "BadRegion" }, { err.cause, err.code })
  end)
end)
