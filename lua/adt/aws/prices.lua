--- What AWS asks for things, from its price list. The list is in few regions, and says it for all.
local json = require "adt.json"

local M = {}

---@class adt.aws.Price
---@field what string
---@field usd number
---@field unit string "Hrs", "GB"
---@field text string for people

--- Where the list of the aws partition is.
M.REGION = "us-east-1"

local function filters(fields)
  local list = {}
  for name, value in pairs(fields) do list[#list + 1] = { Type = "TERM_MATCH", Field = name, Value = value } end
  table.sort(list, function(a, b) return a.Field < b.Field end)
  return list
end

-- The prices on demand of a product, each of its steps.
local function read(text, what)
  local found = {}
  for _, term in pairs(((json.decode(text)).terms or {}).OnDemand or {}) do
    for _, step in pairs(term.priceDimensions or {}) do
      local usd = tonumber((step.pricePerUnit or {}).USD)
      if usd and usd > 0 then
        local amount = ("%.6f"):format(usd):gsub("0+$", ""):gsub("%.$", "")
        found[#found + 1] = { what = what, usd = usd, unit = step.unit,
          text = ("%s USD per %s: %s"):format(amount, step.unit, step.description or "") }
      end
    end
  end
  return found
end

local function ask(pricing, what, fields, into)
  local question = { ServiceCode = "AmazonEC2", FormatVersion = "aws_v1", Filters = filters(fields) }
  for text in pricing:items("GetProducts", question, { key = "PriceList" }) do
    table.move(read(text, what), 1, 100, #into + 1, into)
  end
end

--- Asks the price list.
---@param pricing adt.aws.Client of M.REGION
---@param wanted { region: string, instance: string?, nat: boolean? }
---@return adt.aws.Price[]
function M.get(pricing, wanted)
  local found = {}
  if wanted.nat then
    ask(pricing, "a NAT gateway costs", { productFamily = "NAT Gateway", regionCode = wanted.region }, found)
  end
  if wanted.instance then
    ask(pricing, wanted.instance .. " on demand costs", { instanceType = wanted.instance, regionCode = wanted.region,
      operatingSystem = "Linux", tenancy = "Shared", preInstalledSw = "NA", capacitystatus = "Used" }, found)
  end
  return found
end

return M
