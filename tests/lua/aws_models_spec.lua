--- Service models: what is built in, folders of models and what is wrong with them.
local json = require "adt.json"
local lfs = require "lfs"
local models = require "adt.aws.models"
local process = require "adt.process"
local support = require "support"
local testpython = require "testpython"

local refusal = support.refusal

after_each(support.no_leaks)

local TINY = [[{"version": "2.0",
  "metadata": {"apiVersion": "2020-02-02", "endpointPrefix": "tiny", "protocol": "json", "jsonVersion": "1.1",
    "serviceId": "Tiny", "targetPrefix": "Tiny", "signatureVersion": "v4"},
  "operations": {"%s": {"name": "%s", "http": {"method": "POST", "requestUri": "/"}}}, "shapes": {}}]]

local function tiny(operation)
  return (TINY:gsub("%%s", operation))
end

-- Writes files into a new folder: { ["a/b.json"] = text }.
local function tree(files)
  local dir = support.tempdir()
  for name, text in pairs(files) do
    local at = tostring(dir)
    for part in name:gmatch "([^/]+)/" do
      at = at .. "/" .. part
      lfs.mkdir(at)
    end
    support.write(dir / name, text)
  end
  return dir
end

-- What `code` returns in a program of its own that sees only these folders of models; or the error's fields.
local function elsewhere(code, folders, home)
  local script = ([[
    local errors, json, models = require "adt.error", require "adt.json", require "adt.aws.models"
    local value, err = errors.try(function() %s end)
    print(json.encode { value = value, err = err and { cause = err.cause, code = err.code, message = err.message,
      where = err.where, hint = err.hint } })]]):format(code)
  local empty <close> = support.tempdir()
  local ran = support.adtlua { "-e", script, env = {
    ADTLUA_AWS_MODELS = folders or false, HOME = home or tostring(empty), PYENV_ROOT = false, VIRTUAL_ENV = false,
    CONDA_PREFIX = false,
  } }
  assert.equal(0, ran.code, ran.stderr)
  return json.decode(ran.stdout)
end

describe("the built-in models", function()
  -- Those that issue 5 and the workflows name: one of each service.
  local WANTED = {
    amp = "CreateWorkspace", autoscaling = "DescribeAutoScalingGroups", batch = "SubmitJob", cloudformation = "CreateChangeSet",
    cloudwatch = "PutMetricData", codebuild = "StartBuild", ec2 = "PurchaseCapacityBlock", ecr = "GetAuthorizationToken",
    ["ecr-public"] = "GetAuthorizationToken", efs = "DescribeFileSystems", eks = "DescribeCluster",
    ["eks-auth"] = "AssumeRoleForPodIdentity", fsx = "CreateDataRepositoryTask", grafana = "CreateWorkspaceServiceAccountToken",
    iam = "SimulatePrincipalPolicy", imagebuilder = "StartImagePipelineExecution", logs = "StartLiveTail", pcs = "CreateCluster",
    pricing = "GetProducts", s3 = "UploadPart", sagemaker = "BatchReplaceClusterNodes", secretsmanager = "GetSecretValue",
    ["service-quotas"] = "RequestServiceQuotaIncrease", signin = "CreateOAuth2Token", ssm = "StartSession",
    sso = "GetRoleCredentials", ["sso-oidc"] = "CreateToken", sts = "DecodeAuthorizationMessage",
  }

  it("are 28 services, each with its operations, pages and waiters", function()
    local count = 0
    for _, entry in ipairs(models.list()) do
      if entry.origin == "built in" then
        count = count + 1
        local found = models.find(entry.service, WANTED[entry.service])
        assert.equal("built in", found.origin, entry.service)
        assert.equal(entry.service, found.service)
        for operation in pairs(found.paginators()) do
          assert.is_table(found.model:operation(operation), operation)
        end
        for name, rule in pairs(found.waiters()) do
          assert.is_table(found.model:operation(rule.operation), name)
        end
      end
    end
    assert.equal(28, count)
  end)

  it("say how their service is spoken to", function()
    local protocols = { ec2 = "ec2", sts = "query", s3 = "rest-xml", eks = "rest-json", ssm = "json", cloudwatch = "json" }
    for service, protocol in pairs(protocols) do
      assert.equal(protocol, models.find(service).model:metadata().protocol, service)
    end
    local metadata = models.find("sagemaker").model:metadata()
    assert.equal("api.sagemaker", metadata.endpoint_prefix)
    assert.equal("sagemaker", metadata.signing_name)
    assert.equal("1.0", models.find("cloudwatch").model:metadata().json_version)
    assert.equal("stream-", models.find("logs").model:operation("StartLiveTail").host_prefix)
    assert.is_true(models.find("sts").model:operation("AssumeRoleWithWebIdentity").unsigned_request)
    assert.same({ "ClientToken" }, models.find("ec2").model:operation("RunInstances").idempotency)
  end)

  it("have the waiters that the workflows need, botocore's and ours", function()
    for service, names in pairs {
      cloudformation = { "StackCreateComplete", "ChangeSetCreateComplete", "StackExists", "StackRollbackComplete" },
      eks = { "ClusterActive", "NodegroupActive", "AddonActive" }, iam = { "RoleExists" }, s3 = { "BucketExists" },
      ec2 = { "InstanceRunning", "NatGatewayAvailable", "ImageAvailable", "SubnetAvailable" }, ssm = { "CommandExecuted" },
      amp = { "WorkspaceActive" }, fsx = { "FileSystemAvailable" }, batch = { "JobsSucceeded" },
      sagemaker = { "ClusterInService" }, grafana = { "WorkspaceActive" }, codebuild = { "BuildsSucceeded" },
      imagebuilder = { "ImageAvailable" },
    } do
      for _, name in ipairs(names) do
        assert.is_table(models.find(service).waiters()[name], service .. " " .. name)
      end
    end
  end)

  it("are read once", function()
    assert.equal(models.find "ec2", models.find("ec2", "DescribeInstances"))
    assert.equal(models.find("ec2").waiters(), models.find("ec2").waiters())
  end)

  it("are what the script makes of botocore", function()
    local python, why = testpython.find "botocore"
    if not python then
      pending(why)
      return
    end
    local made = process.run { python, "tools/aws_models.py", "--check", check = false }
    if made.stderr:find "needs botocore" then
      pending(made.stderr)
      return
    end
    assert.equal(0, made.code, made.stdout .. made.stderr)
  end)

  it("take no odd names", function()
    for _, name in ipairs { "../ec2", "", "a/b", "ec2\0", "-x" } do
      assert.equal("BadService", refusal(models.find, name).code)
    end
    assert.equal("BadService", refusal(models.find, nil).code)
    assert.equal("BadOperation", refusal(models.find, "ec2", {}).code)
  end)
end)

describe("a folder of models", function()
  it("serves what is not built in, the newest version of it, plain or compressed", function()
    local dir <close> = tree {
      ["tiny/2019-01-01/service-2.json"] = tiny "Old", ["tiny/2020-02-02/service-2.json"] = tiny "New",
      ["tiny/2021-03-03/other.json"] = "{}",
      ["tiny/2020-02-02/paginators-1.json"] = [[{"pagination": {"New": {"input_token": "T", "output_token": "T", "result_key": "R"}}}]],
      ["packed/2020-02-02/service-2.json"] = tiny "Packed",
    }
    support.run { "gzip", dir / "packed/2020-02-02/service-2.json" }
    local got = elsewhere([[
      local a, b = models.find("tiny", "New"), models.find("packed", "Packed")
      return { a.origin, a.paginators().New.result_key, next(a.waiters()) or "none", b.model:operations()[1] }]], tostring(dir))
    assert.same({ dir / "tiny/2020-02-02", "R", "none", "Packed" }, got.value)
  end)

  it("serves operations that the built-in model lacks, and our waiters stay", function()
    local dir <close> = tree { ["fsx/2018-03-01/service-2.json"] = tiny "BrandNew" }
    local got = elsewhere([[
      local found = models.find("fsx", "BrandNew")
      return { found.origin, models.find("fsx", "DescribeFileSystems").origin, found.waiters().FileSystemAvailable.operation }]],
      tostring(dir))
    assert.same({ dir / "fsx/2018-03-01", "built in", "DescribeFileSystems" }, got.value)
  end)

  it("comes in the order of the variable, then from ~/.aws/models", function()
    local one <close> = tree { ["tiny/2020-02-02/service-2.json"] = tiny "One" }
    local two <close> = tree { ["tiny/2020-02-02/service-2.json"] = tiny "Two" }
    local home <close> = tree { [".aws/models/tiny/2020-02-02/service-2.json"] = tiny "Home" }
    local got = elsewhere([[
      return { models.find("tiny").origin, models.find("tiny", "Two").origin, models.find("tiny", "Home").origin }]],
      one.path .. ":" .. two.path, tostring(home))
    assert.same({ one / "tiny/2020-02-02", two / "tiny/2020-02-02", home / ".aws/models/tiny/2020-02-02" }, got.value)
    local list = elsewhere([[
      for _, entry in ipairs(models.list()) do if entry.service == "tiny" then return entry.origin end end]], one.path)
    assert.equal(one.path, list.value)
  end)

  it("is found where pip puts botocore", function()
    local home <close> = tree {
      [".local/lib/python3.99/site-packages/botocore/data/tiny/2020-02-02/service-2.json"] = tiny "Found",
    }
    local got = elsewhere('return models.find("tiny", "Found").origin', nil, tostring(home))
    assert.equal(home / ".local/lib/python3.99/site-packages/botocore/data/tiny/2020-02-02", got.value)
  end)

  it("with errors is refused with the file, the cause and what to do", function()
    for what, case in pairs {
      json = { ["tiny/2020-02-02/service-2.json"] = '{"metadata": ' },
      gzip = { ["tiny/2020-02-02/service-2.json.gz"] = tiny "Plain" },
      shape = { ["tiny/2020-02-02/service-2.json"] = (tiny("X"):gsub('"shapes": {}', '"shapes": {"A": {"type": "odd"}}')) },
      protocol = { ["tiny/2020-02-02/service-2.json"] = (tiny("X"):gsub('"json"', '"morse"')) },
      list = { ["tiny/2020-02-02/service-2.json"] = "[1]" },
    } do
      local dir <close> = tree(case)
      local err = elsewhere('return models.find("tiny").origin', tostring(dir)).err
      assert.equal("config", err and err.cause, what)
      assert.equal(dir / next(case), err.where, what)
      assert.matches("the AWS model .*/service%-2%.json", err.message, 1, false, what)
      assert.is_string(err.hint)
    end
  end)

  it("without a version, or that is not there, is refused", function()
    local dir <close> = tree { ["tiny/latest/service-2.json"] = tiny "X" }
    local err = elsewhere('return models.find("tiny").origin', tostring(dir)).err
    assert.equal("config", err.cause)
    assert.matches("holds no VERSION/service%-2%.json", err.message)
    err = elsewhere('return models.find("tiny").origin', dir / "none").err
    assert.equal("config", err.cause)
    assert.matches("ADTLUA_AWS_MODELS", err.hint)
    -- What is built in needs no folder.
    assert.equal("built in", elsewhere('return models.find("ec2").origin', dir / "none").value)
  end)

  it("with bad rules is refused when they are asked for", function()
    for _, text in ipairs { "{", '{"pagination": 3}', '{"pagination": {"New": 3}}', "[]" } do
      local dir <close> = tree {
        ["tiny/2020-02-02/service-2.json"] = tiny "New", ["tiny/2020-02-02/paginators-1.json"] = text,
      }
      local err = elsewhere('return models.find("tiny").paginators()', tostring(dir)).err
      assert.equal("config", err and err.cause, text)
      assert.equal(dir / "tiny/2020-02-02/paginators-1.json", err.where)
    end
  end)
end)

describe("a name that no model has", function()
  it("of a service names the nearest, and where it looked", function()
    local dir <close> = tree { ["lambda/2015-03-31/service-2.json"] = tiny "X" }
    local err = elsewhere('return models.find("lamda").origin', tostring(dir)).err
    assert.equal("usage", err.cause)
    assert.equal("UnknownService", err.code)
    assert.matches("did you mean 'lambda'", err.hint)
    assert.is_truthy(err.message:find(tostring(dir), 1, true))
    assert.matches("did you mean 'sagemaker'", elsewhere('return models.find("sagemakr").origin', tostring(dir)).err.hint)
  end)

  it("of an operation names the nearest, and how to get others", function()
    local err = elsewhere('return models.find("ec2", "DescribeInstanses").origin').err
    assert.equal("usage", err.cause)
    assert.equal("UnknownOperation", err.code)
    assert.matches("ec2 has no operation 'DescribeInstanses'", err.message)
    assert.matches("did you mean 'DescribeInstances'", err.hint)
  end)
end)
