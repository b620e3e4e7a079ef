--- A private bucket for data, checkpoints and artefacts, which outlives clusters; on wish a mail for each HyperPod event.
--- Replaces the reference's 0.common; docs/recipes/s3.md tells how it differs.
---
---   adtlua recipes/s3.lua --bucket my-training-data         that name; without, PREFIX-ACCOUNT-REGION
---   adtlua recipes/s3.lua --purpose lifecycle               one that HyperPod reads lifecycle scripts from
---   adtlua recipes/s3.lua down                              refused while the bucket holds anything, but for --with-data
local adt = require "adt"

local function check_mail(p)
  if (p.mail_from == nil) ~= (p.mail_to == nil) then
    adt.error.raise { cause = "usage", code = "HalfMail", message = ("'%s' is given alone"):format(p.mail_from and "mail-from" or "mail-to"),
      hint = "mail needs a sender and a receiver: give both, or none" }
  end
end

local MAIL = "^[^@%s]+@[^@%s]+%.[^@%s]+$"

return adt.recipe {
  name = "s3", kind = "architecture", api = 1,
  summary = "private bucket for distributed training, TLS only, encrypted; mail for HyperPod events",
  stages = { "deploy", "validate" },

  params = {
    region    = adt.string { optional = true, pattern = "^%l%l[%w-]+%-%d+$", help = "default: as every AWS program's" },
    profile   = adt.string { optional = true, help = "of ~/.aws/config" },
    bucket    = adt.string { optional = true, help = "its name, unique in the world (default: PREFIX-ACCOUNT-REGION)" },
    prefix    = adt.string { default = "adtlua", pattern = "^[a-z0-9][a-z0-9-]*$", help = "begins a name that is not given" },
    purpose   = adt.enum { "data", "lifecycle", default = "data", help = "lifecycle: the name begins with sagemaker-" },
    versions  = adt.bool { default = false, help = "keep what is overwritten and deleted" },
    mail_from = adt.string { optional = true, pattern = MAIL, help = "sender of mail for HyperPod events, verified in SES" },
    mail_to   = adt.string { optional = true, pattern = MAIL, help = "receiver of that mail" },
  },

  -- 1. The bucket has a stack of its own, so that nothing else can take it along.
  deploy = function(ctx, p)
    check_mail(p)
    local name = adt.aws.bucket.name { name = p.bucket, prefix = p.prefix, purpose = p.purpose, region = p.region, profile = p.profile }
    local bucket = ctx:stack("bucket", { template = "s3/bucket.yaml", parameters = { BucketName = name, Versions = p.versions } })
    local mail = p.mail_from and ctx:stack("mail", {
      template = "s3/hyperpod_mail.yaml", stack = ctx.name .. "-mail", capabilities = { "CAPABILITY_IAM" },
      parameters = { MailFrom = p.mail_from, MailTo = p.mail_to },
    }) or nil
    return { stack = bucket, mail = mail, Bucket = bucket.outputs.Bucket, BucketArn = bucket.outputs.BucketArn }
  end,

  -- 2. The verdict is the live bucket's.
  validate = function(ctx, p, results)
    local bucket = adt.aws.bucket.of(ctx, results.deploy.stack, { profile = p.profile })
    bucket:private()
    bucket:only_tls()
    bucket:encrypted()
    bucket:versions(p.versions)
    bucket:location()
    ctx:note("s3://%s is ready", bucket.name)
  end,
}
