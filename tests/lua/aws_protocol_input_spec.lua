--- Requests of AWS's protocols: the public suites, botocore beside us, and what wrong parameters are told.
local awsmodel = require "adt.c.awsmodel"
local base64 = require "adt.base64"
local json = require "adt.json"
local process = require "adt.process"
local suite = require "aws_protocol_suite"
local support = require "support"

after_each(support.no_leaks)

-- --- the public suites -----------------------------------------------------------------------------------------------

describe("the public protocol suites, inputs", function()
  local vectors = os.getenv "ADT_VECTORS"
  if not vectors then
    pending "needs ADT_VECTORS, the folder of public vectors"
    return
  end
  local cases = suite.cases(vectors .. "/aws_protocols", "input")
  assert(#cases > 0, "no cases in " .. vectors)
  for _, case in ipairs(cases) do
    it("passes " .. case.title, function()
      assert.is_nil(suite.check(case))
    end)
  end
end)

-- --- botocore --------------------------------------------------------------------------------------------------------

local TAGS = { { Key = "team", Value = "ml & ops" }, { Key = "ü", Value = "" } }
local STATEMENT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'

-- Parameters of every kind that these services have: lists, maps, blobs, times, documents in text, odd characters.
local CALLS = {
  { "ec2", "DescribeRegions", {} },
  { "ec2", "DescribeSubnets", { Filters = { { Name = "vpc-id", Values = { "vpc-1", "vpc-2" } } }, MaxResults = 100, DryRun = false } },
  { "ec2", "DescribeInstances", { InstanceIds = json.array {}, NextToken = "a/b+c==" } },
  { "ec2", "RunInstances", { ImageId = "ami-1", InstanceType = "p5.48xlarge", MinCount = 1, MaxCount = 2,
    NetworkInterfaces = { { DeviceIndex = 0, NetworkCardIndex = 1, InterfaceType = "efa", Groups = { "sg-1" }, SubnetId = "subnet-1" } },
    TagSpecifications = { { ResourceType = "instance", Tags = TAGS } }, UserData = "IyEvYmluL3No", ClientToken = "token",
    InstanceMarketOptions = { MarketType = "capacity-block" } } },
  { "ec2", "CreateCapacityReservation", { InstanceType = "p4d.24xlarge", InstancePlatform = "Linux/UNIX", InstanceCount = 2,
    EndDate = 1767225600, EndDateType = "limited", ClientToken = "token" } },
  { "ec2", "CreateLaunchTemplate", { LaunchTemplateName = "n", ClientToken = "t", LaunchTemplateData = { ImageId = "ami-2",
    BlockDeviceMappings = { { DeviceName = "/dev/sda1", Ebs = { VolumeSize = 500, Encrypted = true, VolumeType = "gp3" } } } } } },
  { "ec2", "CreateTags", { Resources = { "i-1", "i-2" }, Tags = TAGS } },
  { "ec2", "DescribeCapacityBlockOfferings", { CapacityDurationHours = 24, StartDateRange = "2026-01-01T00:00:00+02:00" } },
  { "ec2", "AuthorizeSecurityGroupIngress", { GroupId = "sg-1", IpPermissions = { { IpProtocol = "tcp", FromPort = 22, ToPort = 22,
    IpRanges = { { CidrIp = "10.0.0.0/8", Description = "näh" } } } } } },
  { "cloudformation", "DescribeStacks", { StackName = "a stack" } },
  { "cloudformation", "CreateChangeSet", { StackName = "s", ChangeSetName = "c", ChangeSetType = "CREATE",
    TemplateBody = "Resources:\n  A:\n    Type: 'AWS::S3::Bucket' # 100% & more\n", Capabilities = { "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM" },
    Parameters = { { ParameterKey = "A", ParameterValue = "x=1&y=2" }, { ParameterKey = "B", UsePreviousValue = true } }, Tags = TAGS } },
  { "cloudformation", "DeleteStack", { StackName = "s", RetainResources = json.array {}, ClientRequestToken = "t" } },
  { "cloudformation", "ListStacks", { StackStatusFilter = { "CREATE_COMPLETE", "ROLLBACK_COMPLETE" } } },
  { "s3", "ListObjectsV2", { Bucket = "bucket", Prefix = "a b/ü", MaxKeys = 5, FetchOwner = true, StartAfter = "x+y",
    OptionalObjectAttributes = { "RestoreStatus" } } },
  { "s3", "GetObject", { Bucket = "bucket", Key = "a//b c/~d'(e).txt", Range = "bytes=0-9", IfModifiedSince = 1700000000.75,
    VersionId = "v+1", ResponseContentType = "text/plain; charset=utf-8" } },
  { "s3", "PutObject", { Bucket = "bucket", Key = "k", Body = "some text", ContentType = "text/plain", StorageClass = "STANDARD_IA",
    Metadata = { b = "2", a = "1" }, Tagging = "a=b&c=d", ContentLength = 9 } },
  { "s3", "DeleteObjects", { Bucket = "bucket", Delete = { Objects = { { Key = "a&b<c>" }, { Key = "d\"e", VersionId = "2" } }, Quiet = true } } },
  { "s3", "PutBucketTagging", { Bucket = "bucket", Tagging = { TagSet = TAGS } } },
  { "s3", "CreateBucket", { Bucket = "bucket", CreateBucketConfiguration = { LocationConstraint = "eu-central-1" } } },
  { "s3", "CompleteMultipartUpload", { Bucket = "bucket", Key = "k", UploadId = "id", MultipartUpload = { Parts = {
    { ETag = '"abc"', PartNumber = 1 }, { ETag = '"def"', PartNumber = 2, ChecksumCRC32 = "AAAAAA==" } } } } },
  { "s3", "PutBucketLifecycleConfiguration", { Bucket = "b", LifecycleConfiguration = { Rules = { { ID = "r", Status = "Enabled",
    Filter = { Prefix = "tmp/" }, Expiration = { Days = 3 }, Transitions = { { Date = 1767225600, StorageClass = "GLACIER" } } } } } } },
  { "s3", "PutObjectLegalHold", { Bucket = "b", Key = "k", LegalHold = { Status = "ON" } } },
  { "s3", "PutBucketPolicy", { Bucket = "b", Policy = STATEMENT } },
  { "s3", "PutBucketAcl", { Bucket = "b", AccessControlPolicy = { Owner = { ID = "o" }, Grants = { { Permission = "READ",
    Grantee = { Type = "CanonicalUser", ID = "g" } } } } } },
  { "s3", "GetObjectAttributes", { Bucket = "b", Key = "k", ObjectAttributes = { "ETag", "ObjectSize" } } },
  { "eks", "DescribeCluster", { name = "my cluster" } },
  { "eks", "ListNodegroups", { clusterName = "c", maxResults = 10, nextToken = "a=b" } },
  { "eks", "CreateNodegroup", { clusterName = "c", nodegroupName = "n", subnets = { "s-1" }, nodeRole = "arn:aws:iam::1:role/r",
    scalingConfig = { minSize = 0, maxSize = 4, desiredSize = 0 }, labels = { b = "2", a = "1" }, clientRequestToken = "t" } },
  { "eks", "TagResource", { resourceArn = "arn:aws:eks:us-east-1:1:cluster/c", tags = { ["a b"] = "ü" } } },
  { "batch", "RegisterJobDefinition", { jobDefinitionName = "d", type = "multinode", nodeProperties = { numNodes = 2, mainNode = 0,
    nodeRangeProperties = { { targetNodes = "0:", container = { image = "i", vcpus = 96, command = { "sh", "-c", "echo \"hi\"\n" },
      resourceRequirements = { { type = "GPU", value = "8" } } } } } } } },
  { "batch", "SubmitJob", { jobName = "j", jobQueue = "q", jobDefinition = "d",
    parameters = { z = "1", a = "😀" }, timeout = { attemptDurationSeconds = 60 } } },
  { "batch", "DescribeJobs", { jobs = { "1", "2#0" } } },
  { "sagemaker", "CreateCluster", { ClusterName = "c", InstanceGroups = { { InstanceCount = 2,
    InstanceGroupName = "g", InstanceType = "ml.p5.48xlarge",
    LifeCycleConfig = { SourceS3Uri = "s3://b/p", OnCreate = "on.sh" }, ExecutionRole = "arn:r", ThreadsPerCore = 2 } },
    VpcConfig = { SecurityGroupIds = { "sg" }, Subnets = { "s" } }, Tags = TAGS } },
  { "sagemaker", "ListClusters", { CreationTimeAfter = 1700000000, SortBy = "NAME" } },
  { "sagemaker", "DescribeCluster", { ClusterName = "c" } },
  { "fsx", "CreateFileSystem", { ClientRequestToken = "t", FileSystemType = "LUSTRE", StorageCapacity = 4800, SubnetIds = { "s" },
    LustreConfiguration = { DeploymentType = "PERSISTENT_2", PerUnitStorageThroughput = 250 } } },
  { "ssm", "SendCommand", { Targets = { { Key = "tag:a", Values = { "b" } } }, DocumentName = "AWS-RunShellScript",
    Parameters = { commands = { "echo 'a' | tr a b", "ls\t/" }, workingDirectory = { "/" } }, MaxConcurrency = "50%" } },
  { "ssm", "GetParametersByPath", { Path = "/aws/service", Recursive = true, WithDecryption = false } },
  { "logs", "FilterLogEvents", { logGroupName = "/aws/x", startTime = 1700000000123, filterPattern = "[\"a\\b\"]", limit = 100 } },
  { "logs", "StartLiveTail", { logGroupIdentifiers = { "arn:1" } } },
  { "ecr", "GetAuthorizationToken", {} },
  { "ecr", "UploadLayerPart", { repositoryName = "r", uploadId = "u", partFirstByte = 0, partLastByte = 2, layerPartBlob = "abc" } },
  { "sts", "GetCallerIdentity", {} },
  { "sts", "AssumeRole", { RoleArn = "arn:aws:iam::1:role/r", RoleSessionName = "s", DurationSeconds = 900, Policy = STATEMENT,
    Tags = TAGS, TransitiveTagKeys = { "team" } } },
  { "iam", "SimulatePrincipalPolicy", { PolicySourceArn = "arn", ActionNames = { "s3:GetObject" }, ContextEntries = { {
    ContextKeyName = "k", ContextKeyValues = { "a", "b" }, ContextKeyType = "stringList" } } } },
  { "iam", "CreateOpenIDConnectProvider", { Url = "https://x", ThumbprintList = { "0" }, ClientIDList = { "sts.amazonaws.com" } } },
  { "autoscaling", "CreateAutoScalingGroup", { AutoScalingGroupName = "g", MinSize = 0, MaxSize = 3, VPCZoneIdentifier = "a,b",
    NewInstancesProtectedFromScaleIn = true, LaunchTemplate = { LaunchTemplateName = "l", Version = "$Latest" } } },
  { "autoscaling", "PutScheduledUpdateGroupAction", { AutoScalingGroupName = "g", ScheduledActionName = "s",
    StartTime = 1767225600.5, DesiredCapacity = 1 } },
  { "sqs", "SendMessage", { QueueUrl = "https://q", MessageBody = "b",
    MessageAttributes = { x = { DataType = "Binary", BinaryValue = "abc" } } } },
  { "bedrock-runtime", "Converse", { modelId = "arn:a/b:c", messages = { { role = "user", content = { { text = "hé" } } } },
    inferenceConfig = { temperature = 0.5, topP = 1 }, additionalModelRequestFields = { top_k = 200, list = { 1, "a", true } } } },
  { "cloudfront", "CreateInvalidation", { DistributionId = "D",
    InvalidationBatch = { CallerReference = "r", Paths = { Quantity = 1, Items = { "/*" } } } } },
  { "route53", "ChangeResourceRecordSets", { HostedZoneId = "Z", ChangeBatch = { Changes = { { Action = "UPSERT", ResourceRecordSet = {
    Name = "n.", Type = "A", TTL = 60, ResourceRecords = { { Value = "1.2.3.4" } } } } } } } },
}

-- Where botocore sets no content type, the public suites want one.
local function drop_type(theirs, ours)
  if not theirs["Content-Type"] and ours["Content-Type"] then
    local mine = ours["Content-Type"]
    assert.is_true(mine == "application/xml" or mine == "text/plain" or mine == "application/octet-stream", mine)
    ours["Content-Type"] = nil
  end
end

describe("requests beside botocore's", function()
  if not process.run({ "python3", "-c", "import botocore", check = false }).ok then
    pending "needs python3 with botocore"
    return
  end
  local function ask(cases)
    return json.decode(process.run { "python3", "tests/lua/botocore_request_oracle.py", input = json.encode(cases) }.stdout)
  end
  local models, answers = {}, {}

  setup(function()
    local services, seen, cases = {}, {}, {}
    for i, call in ipairs(CALLS) do
      cases[i] = { service = call[1], operation = call[2], params = call[3] }
      if not seen[call[1]] then
        seen[call[1]] = true
        services[#services + 1] = { service = call[1] }
      end
    end
    answers = ask(cases)
    for i, answer in ipairs(ask(services)) do
      models[services[i].service] = assert(awsmodel.load(answer.description, services[i].service))
    end
  end)

  teardown(function()
    models, answers = nil, nil
  end)

  for i, call in ipairs(CALLS) do
    it(("of %s %s are the same"):format(call[1], call[2]), function()
      local theirs = answers[i]
      local ours = assert(models[call[1]]:request(call[2], call[3]))
      drop_type(theirs.headers, ours.headers)
      theirs.body = base64.decode(theirs.body)
      ours.body, ours.streaming = ours.body or "", nil
      assert.same(theirs, ours)
    end)
  end
end)
