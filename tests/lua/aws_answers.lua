--- Answers as AWS services write them, written by hand after their documentation: for reading beside botocore.
local XML = { ["content-type"] = "text/xml;charset=UTF-8" }
local JSON1 = { ["content-type"] = "application/x-amz-json-1.1", ["x-amzn-requestid"] = "0b1c2d3e-aaaa-4bbb-8ccc-0123456789ab" }
local REST = { ["content-type"] = "application/json", ["x-amzn-requestid"] = "6f3c0d6e-aaaa-4bbb-8ccc-0123456789ab" }
local S3 = { ["content-type"] = "application/xml", ["x-amz-request-id"] = "TX1", ["x-amz-id-2"] = "aG9zdA==" }

local function with(headers, more)
  local all = {}
  for name, value in pairs(headers) do all[name] = value end
  for name, value in pairs(more) do all[name] = value end
  return all
end

return {
  { service = "ec2", operation = "DescribeSubnets", status = 200, headers = XML, body = [==[
<?xml version="1.0" encoding="UTF-8"?>
<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>
    <subnetSet>
        <item>
            <subnetId>subnet-9d4a7b6c</subnetId><subnetArn>arn:aws:ec2:us-east-1:111122223333:subnet/subnet-9d4a7b6c</subnetArn>
            <state>available</state><vpcId>vpc-1a2b3c4d</vpcId><cidrBlock>10.0.1.0/24</cidrBlock>
            <ipv6CidrBlockAssociationSet/><availableIpAddressCount>251</availableIpAddressCount>
            <availabilityZone>us-east-1a</availabilityZone><defaultForAz>false</defaultForAz>
            <mapPublicIpOnLaunch>true</mapPublicIpOnLaunch>
            <tagSet><item><key>Name</key><value>a &amp; b &lt;c&gt;</value></item><item><key>empty</key><value/></item></tagSet>
            <aThingOfTomorrow><deep>1</deep></aThingOfTomorrow>
        </item>
        <item><subnetId>subnet-2</subnetId><tagSet/></item>
    </subnetSet>
</DescribeSubnetsResponse>]==] },
  { service = "ec2", operation = "DescribeInstances", status = 200, headers = XML, body = [==[
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet><item>
<reservationId>r-1</reservationId><ownerId>111122223333</ownerId><groupSet/><instancesSet><item><instanceId>i-1</instanceId>
<instanceState><code>16</code><name>running</name></instanceState><reason/><launchTime>2018-05-08T16:46:19.000Z</launchTime>
<placement><availabilityZone>eu-west-1c</availabilityZone><groupName/><tenancy>default</tenancy></placement>
<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-1</volumeId><attachTime>2015-12-22T10:44:09.123Z</attachTime>
<deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping><ebsOptimized>false</ebsOptimized>
<cpuOptions><coreCount>96</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions></item></instancesSet></item></reservationSet>
<nextToken>t==</nextToken></DescribeInstancesResponse>]==] },
  { service = "ec2", operation = "DescribeSubnets", status = 400, headers = XML, body = [==[
<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidSubnetID.NotFound</Code><Message>The subnet ID 'subnet-0' does not exist</Message></Error></Errors>
<RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>]==] },
  { service = "cloudformation", operation = "DescribeStacks", status = 200, headers = XML, body = [==[
<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
  <DescribeStacksResult>
    <Stacks>
      <member>
        <Outputs><member><OutputKey>Vpc</OutputKey><OutputValue>vpc-1</OutputValue><Description>The&#10;VPC</Description></member></Outputs>
        <Capabilities><member>CAPABILITY_IAM</member><member>CAPABILITY_NAMED_IAM</member></Capabilities>
        <CreationTime>2024-03-05T10:11:12.345Z</CreationTime>
        <NotificationARNs/>
        <StackId>arn:aws:cloudformation:us-east-1:111122223333:stack/a/1</StackId>
        <StackName>a</StackName>
        <Description><![CDATA[<not> & markup]]></Description>
        <StackStatus>CREATE_COMPLETE</StackStatus>
        <DisableRollback>false</DisableRollback>
        <Tags/>
        <DriftInformation><StackDriftStatus>NOT_CHECKED</StackDriftStatus></DriftInformation>
        <EnableTerminationProtection>true</EnableTerminationProtection>
      </member>
    </Stacks>
  </DescribeStacksResult>
  <ResponseMetadata><RequestId>b9b4b068-3a41-11e5-94eb-example</RequestId></ResponseMetadata>
</DescribeStacksResponse>]==] },
  { service = "cloudformation", operation = "UpdateStack", status = 400, headers = XML, body = [==[
<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
  <Error><Type>Sender</Type><Code>ValidationError</Code><Message>No updates are to be performed.</Message></Error>
  <RequestId>5ccc7dcd-744c-11e5-be70-example</RequestId>
</ErrorResponse>]==] },
  { service = "cloudformation", operation = "CreateStack", status = 400, headers = XML, body = [==[
<ErrorResponse><Error><Type>Sender</Type><Code>AlreadyExistsException</Code><Message>Stack [a] already exists</Message></Error>
<RequestId>5ccc</RequestId></ErrorResponse>]==] },
  { service = "sts", operation = "GetCallerIdentity", status = 200, headers = XML, body = [==[
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::111122223333:user/Alice</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId><Account>111122223333</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>01234567</RequestId></ResponseMetadata></GetCallerIdentityResponse>]==] },
  { service = "sts", operation = "AssumeRole", status = 200, headers = XML, body = [==[
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><SourceIdentity>Alice</SourceIdentity>
<AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/demo/x</Arn><AssumedRoleId>ARO123EXAMPLE123:x</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalr/+</SecretAccessKey><SessionToken>
 AQoDYXdzEPT==</SessionToken><Expiration>2019-07-15T23:28:33.359Z</Expiration></Credentials><PackedPolicySize>8</PackedPolicySize>
</AssumeRoleResult><ResponseMetadata><RequestId>c6104cbe</RequestId></ResponseMetadata></AssumeRoleResponse>]==] },
  { service = "iam", operation = "ListRoles", status = 200, headers = XML, body = [==[
<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><IsTruncated>true</IsTruncated><Roles><member>
<Path>/</Path><RoleName>r</RoleName><RoleId>AROA</RoleId><Arn>arn:aws:iam::1:role/r</Arn><CreateDate>2012-05-08T23:34:01Z</CreateDate>
<AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D</AssumeRolePolicyDocument><MaxSessionDuration>3600</MaxSessionDuration>
</member></Roles><Marker>m</Marker></ListRolesResult><ResponseMetadata><RequestId>20f7279f</RequestId></ResponseMetadata></ListRolesResponse>]==] },
  { service = "s3", operation = "ListObjectsV2", status = 200, headers = S3, body = [==[
<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys>
<IsTruncated>false</IsTruncated><Contents><Key>a&amp;b.txt</Key><LastModified>2023-11-20T12:13:14.000Z</LastModified>
<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>5368709120</Size><StorageClass>STANDARD</StorageClass></Contents>
<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes><Contents><Key>c</Key><Size>0</Size><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>
<ChecksumAlgorithm>SHA256</ChecksumAlgorithm></Contents><CommonPrefixes><Prefix>q/</Prefix></CommonPrefixes></ListBucketResult>]==] },
  { service = "s3", operation = "HeadObject", status = 200, headers = with(S3, { ["last-modified"] = "Mon, 20 Nov 2023 12:13:14 GMT",
    ["content-length"] = "1234", ["etag"] = '"abc"', ["x-amz-meta-owner"] = "me", ["x-amz-meta-run-id"] = "7", ["accept-ranges"] = "bytes",
    ["x-amz-server-side-encryption"] = "AES256", ["x-amz-delete-marker"] = "false" }), body = "" },
  { service = "s3", operation = "GetObject", status = 404, headers = S3, body = [==[
<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>k</Key>
<RequestId>TX1</RequestId><HostId>aG9zdA==</HostId></Error>]==] },
  { service = "s3", operation = "GetBucketAcl", status = 200, headers = S3, body = [==[
<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>1</ID></Owner><AccessControlList><Grant>
<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>1</ID></Grantee><Permission>FULL_CONTROL</Permission>
</Grant></AccessControlList></AccessControlPolicy>]==] },
  { service = "eks", operation = "DescribeCluster", status = 200, headers = REST, body = [==[
{"cluster":{"name":"c","arn":"arn:aws:eks:us-west-2:1:cluster/c","createdAt":1.527807879988E9,"version":"1.31","status":"ACTIVE",
"resourcesVpcConfig":{"subnetIds":["subnet-1","subnet-2"],"securityGroupIds":[],"endpointPublicAccess":true,"publicAccessCidrs":["0.0.0.0/0"]},
"logging":{"clusterLogging":[{"types":["api"],"enabled":false}]},"identity":{"oidc":{"issuer":"https://oidc.eks/id/1"}},"tags":{},
"health":{"issues":[]},
"certificateAuthority":{"data":"LS0tLS1CRUdJTg=="},"clientRequestToken":null,"unknownYet":{"a":[1,{"b":null}]}}}]==] },
  { service = "eks", operation = "DescribeCluster", status = 404, headers = with(REST, { ["x-amzn-errortype"] = "ResourceNotFoundException" }),
    body = [==[{"clusterName":null,"nodegroupName":"n","message":"No cluster found for name: x."}]==] },
  { service = "ecr", operation = "GetAuthorizationToken", status = 200, headers = JSON1, body = [==[
{"authorizationData":[{"authorizationToken":"QVdTOkNpQzErSHF1=","expiresAt":1.448878779809E9,
"proxyEndpoint":"https://1.dkr.ecr.us-west-2.amazonaws.com"}]}]==] },
  { service = "ecr", operation = "CreateRepository", status = 400, headers = JSON1, body = [==[
{"__type":"com.amazonaws.ecr#RepositoryAlreadyExistsException","message":"The repository with name 'x' already exists"}]==] },
  { service = "ssm", operation = "GetParameters", status = 200, headers = JSON1, body = [==[
{"InvalidParameters":["/n"],"Parameters":[{"ARN":"a","DataType":"text","LastModifiedDate":1.582154711976E9,"Name":"/p","Type":"SecureString",
"Value":"\u00e9\ud83d\ude00","Version":3}]}]==] },
  { service = "batch", operation = "DescribeJobs", status = 200, headers = REST, body = [==[
{"jobs":[{"jobId":"j","jobName":"n","status":"RUNNING","createdAt":1480460782010,"startedAt":1480460816500,"attempts":[],"dependsOn":[],
"container":{"command":["sleep","60"],"vcpus":1,"memory":128,"environment":[{"name":"A","value":""}],"privileged":false},
"parameters":{"k":"v"}}]}]==] },
  { service = "fsx", operation = "DescribeFileSystems", status = 200, headers = JSON1, body = [==[
{"FileSystems":[{"FileSystemId":"fs-1","CreationTime":1.5128E9,"Lifecycle":"AVAILABLE","StorageCapacity":1200,"SubnetIds":["s"],
"LustreConfiguration":{"DeploymentType":"PERSISTENT_2","PerUnitStorageThroughput":250,"CopyTagsToBackups":false},"Tags":[]}],"NextToken":null}]==] },
  { service = "logs", operation = "FilterLogEvents", status = 200, headers = JSON1, body = [==[
{"events":[{"logStreamName":"s","timestamp":1396035378988,"message":"a\tb","ingestionTime":1396035394997,"eventId":"1"}],
"searchedLogStreams":[]}]==] },
  { service = "dynamodb", operation = "GetItem", status = 200, headers = JSON1, body = [==[
{"Item":{"s":{"S":"x"},"n":{"N":"1.50"},"b":{"B":"aGVsbG8="},"l":{"L":[{"NULL":true},{"BOOL":false}]},"m":{"M":{}},"ss":{"SS":["a"]}},
"ConsumedCapacity":{"TableName":"t","CapacityUnits":0.5}}]==] },
  { service = "dynamodb", operation = "PutItem", status = 400, headers = JSON1, body = [==[
{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Message":"The conditional request failed","Item":{"k":{"S":"v"}}}]==] },
  { service = "sqs", operation = "GetQueueUrl", status = 400, headers = with(JSON1, {
    ["x-amzn-query-error"] = "AWS.SimpleQueueService.NonExistentQueue;Sender" }), body = [==[
{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}]==] },
  { service = "lambda", operation = "Invoke", status = 200, headers = with(REST, { ["x-amz-executed-version"] = "$LATEST",
    ["x-amz-log-result"] = "U1RBUlQ=" }), body = [==[{"ok":[1,2]}]==] },
}
