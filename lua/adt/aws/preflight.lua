--- Asked before anything is made: is there room in the quotas, are the zones real, do they offer the type, is the
--- reserved capacity there, what does it cost. Only questions; `plan` asks them too.
local aws = require "adt.aws"
local errors = require "adt.error"
local failure = require "adt.aws.failure"
local instances = require "adt.aws.instances"
local prices = require "adt.aws.prices"
local time = require "adt.time"

local M = {}

---@class adt.aws.Finding
---@field ok? boolean nil: it could not be asked
---@field what string a sentence that should hold
---@field evidence string
---@field hint? string

---@class adt.aws.PreflightOptions
---@field region? string
---@field profile? string
---@field client? adt.aws.ClientOptions more of them: endpoint, credentials, retry
---@field stack? string what this stack holds already is not needed again, and its zones stay
---@field zones? string[] names
---@field count? integer zones wanted: of those given, or chosen
---@field instance? string type that each zone must offer
---@field nodes? integer of that type, for the reservation
---@field needs? { vpcs: integer?, addresses: integer? } asked for in the quotas
---@field reservation? string id of a capacity reservation or block
---@field prices? boolean what it costs, from the price list

---@class adt.aws.Preflight
---@field findings adt.aws.Finding[]
---@field region string
---@field zones? string[] names, in the order asked for
---@field zone_ids? table<string, string> by name
---@field instance? adt.aws.Instance
---@field reservation? table
---@field prices? adt.aws.Price[]

local Preflight = {}
Preflight.__index = Preflight

local OPTIONS = { "region", "profile", "client", "stack", "zones", "count", "instance", "nodes", "needs", "reservation", "prices" }

local function fail(cause, code, message, hint)
  errors.raise { cause = cause, code = code, message = message, hint = hint }
end

-- --- how it is asked --------------------------------------------------------------------------------------------------

local function client(self, service)
  if not self.clients[service] then
    local options = {}
    for key, value in pairs(self.options.client or {}) do options[key] = value end
    options.region, options.profile = self.options.region or options.region, self.options.profile or options.profile
    if service == "pricing" then options.region = prices.REGION end
    self.clients[service] = aws.client(service, options)
  end
  return self.clients[service]
end

local function note(self, ok, what, evidence, hint)
  table.insert(self.findings, { ok = ok, what = what, evidence = evidence, hint = hint })
end

-- What may not be asked is told, and stops nothing: many roles may make a network and not read a quota.
local function ask(self, what, f, ...)
  local answer, err = errors.try(f, ...)
  if answer ~= nil then return answer end
  if not failure.is_denied(err) then error(err, 0) end
  note(self, nil, what, "may not be asked: " .. err.code, "allow it to these credentials, or look it up in the console")
  return nil
end

local function items(ec2, operation, params, key)
  local found = {}
  for one in ec2:items(operation, params, { key = key }) do found[#found + 1] = one end
  return found
end

-- --- zones -----------------------------------------------------------------------------------------------------------

local function looks_like_id(name)
  return name:match "^%l+%d*%-[%l%d]*az%d+$" ~= nil
end

--- Refuses a list of zones that cannot be right, before anything is asked: a count that is not its length, a zone twice.
---@param zones string[]
---@param count? integer
function M.check_zones(zones, count)
  if #zones > 0 and count and #zones ~= count then
    fail("usage", "ZoneCount", ("%d zones are asked for, and %d are named: %s"):format(count, #zones, table.concat(zones, ", ")),
      #zones < count and "name more zones, or none: then they are chosen" or "name fewer zones, or leave the count out")
  end
  local seen = {}
  for _, name in ipairs(zones) do
    if seen[name] then fail("usage", "ZoneTwice", ("the zone %s is named twice"):format(name), "each zone has one private subnet") end
    seen[name] = true
  end
end

local function check_name(self, name, known, by_id)
  if known[name] then return end
  local names = {}
  for each in pairs(known) do names[#names + 1] = each end
  table.sort(names)
  if by_id[name] or looks_like_id(name) then
    fail("usage", "ZoneId", ("'%s' is the id of a zone, and its name is needed"):format(name),
      by_id[name] and ("in this account its name is %s"):format(by_id[name])
        or "names look like us-west-2d" .. (#names > 0 and ", and here are " .. table.concat(names, ", ") or ""))
  end
  local near = errors.nearest(name, names)
  fail("usage", "NoZone", ("%s has no zone '%s'"):format(self.region, name),
    (near and ("did you mean %s? "):format(near) or "") .. "it has " .. table.concat(names, ", "))
end

local function read_zones(self)
  local what = "the zones are there"
  local answer = ask(self, what, function()
    return client(self, "ec2"):DescribeAvailabilityZones { Filters = { { Name = "zone-type", Values = { "availability-zone" } } } }
  end)
  if not answer then
    for _, name in ipairs(self.zones) do
      if looks_like_id(name) then check_name(self, name, {}, {}) end
    end
    return nil
  end
  local known, by_id, list = {}, {}, {}
  for _, zone in ipairs(answer.AvailabilityZones) do
    known[zone.ZoneName], by_id[zone.ZoneId or ""] = zone, zone.ZoneName
    if zone.State == "available" then list[#list + 1] = zone.ZoneName end
  end
  table.sort(list)
  for _, name in ipairs(self.zones) do
    check_name(self, name, known, by_id)
    if known[name].State ~= "available" then
      fail("capacity", "ZoneUnavailable", ("the zone %s is %s"):format(name, known[name].State), "available are " .. table.concat(list, ", "))
    end
  end
  self.known = known
  return list
end

-- Names of the zones that offer the type; nil when that may not be asked.
local function offering(self)
  local name = self.options.instance
  local found = ask(self, ("the zones offer %s"):format(name), items, client(self, "ec2"), "DescribeInstanceTypeOfferings",
    { LocationType = "availability-zone", Filters = { { Name = "instance-type", Values = { name } } } }, "InstanceTypeOfferings")
  if not found then return nil end
  local set, names = {}, {}
  for _, offer in ipairs(found) do
    set[offer.Location], names[#names + 1] = true, offer.Location
  end
  table.sort(names)
  return set, names
end

local function choose(self, list, offers)
  for _, name in ipairs(list) do
    if #self.zones < self.options.count and (not offers or offers[name]) then self.zones[#self.zones + 1] = name end
  end
  if #self.zones < self.options.count then
    fail("capacity", "TooFewZones", ("%d zones are wanted, and %s has %d%s"):format(self.options.count, self.region, #self.zones,
      offers and " that offer " .. self.options.instance or ""), "ask for fewer zones, or choose another region")
  end
end

local function check_offers(self, offers, names)
  for _, zone in ipairs(self.zones) do
    if not offers[zone] then
      fail("capacity", "NotOffered", ("the zone %s does not offer %s"):format(zone, self.options.instance),
        #names > 0 and "zones that do: " .. table.concat(names, ", ") or ("no zone of %s does: choose another region"):format(self.region))
    end
  end
  note(self, true, "the zones offer " .. self.options.instance, table.concat(names, ", "))
end

local function look_at_zones(self)
  local o = self.options
  M.check_zones(self.zones, o.count)
  if #self.zones == 0 and not o.count then return end
  local list = read_zones(self)
  local offers, names
  if o.instance then offers, names = offering(self) end
  if #self.zones == 0 then
    if not list then fail("auth", "ZonesUnknown", "the zones may not be listed, so none can be chosen", "name them") end
    choose(self, list, offers)
  elseif offers then
    check_offers(self, offers, names)
  end
  if list then
    local shown = {}
    for i, name in ipairs(self.zones) do
      self.zone_ids[name] = self.known[name].ZoneId
      shown[i] = ("%s (%s)"):format(name, self.known[name].ZoneId or "no id")
    end
    note(self, true, "the zones are there", table.concat(shown, ", "))
  end
end

-- --- quotas ----------------------------------------------------------------------------------------------------------

local QUOTAS = {
  { need = "vpcs", what = "VPCs of the region", service = "vpc", code = "L-F678F1CE",
    used = function(ec2) return #items(ec2, "DescribeVpcs", {}, "Vpcs") end },
  { need = "addresses", what = "Elastic IP addresses of the region", service = "ec2", code = "L-0263D0A3",
    used = function(ec2) return #(ec2:DescribeAddresses {}).Addresses end },
}

-- A service that knows no such quota, or none at all, says nothing against it.
local function limit_of(self, quota)
  local answer, err = errors.try(function()
    return client(self, "service-quotas"):GetServiceQuota { ServiceCode = quota.service, QuotaCode = quota.code }
  end)
  if not answer and err.code ~= "NoSuchResourceException" then error(err, 0) end
  return answer and answer.Quota.Value
end

local function look_at_quota(self, quota, need)
  local what = ("the quota has room for %d more: %s"):format(need, quota.what)
  local answer = ask(self, what, function() return { limit = limit_of(self, quota), used = quota.used(client(self, "ec2")) } end)
  if not answer then return end
  if not answer.limit then
    note(self, nil, what, "the service knows no quota " .. quota.code)
  elseif answer.used + need > answer.limit then
    fail("quota", "QuotaReached", ("%s: %d of %d are in use, and %d more %s needed"):format(quota.what, answer.used, answer.limit, need,
      need == 1 and "is" or "are"), ("delete what is unused, or ask for more: Service Quotas, %s, %s"):format(quota.service, quota.code))
  else
    note(self, true, what, ("%d of %d in use"):format(answer.used, answer.limit))
  end
end

-- --- capacity --------------------------------------------------------------------------------------------------------

local function when(seconds)
  return type(seconds) == "number" and time.iso(seconds) or "open"
end

local function reservation_problem(self, r)
  local nodes, wanted = self.options.nodes or 1, self.options.instance
  if wanted and r.InstanceType ~= wanted then return ("is for %s, not %s"):format(r.InstanceType, wanted), "give the type it is for" end
  if #self.zones > 0 and not self.zone_set()[r.AvailabilityZone] then
    return ("is in %s, and the network in %s"):format(r.AvailabilityZone, table.concat(self.zones, ", ")), "name the reservation's zone"
  end
  if r.State == "scheduled" then return nil end
  if r.State ~= "active" then return "is " .. r.State, "choose one that is active" end
  if (r.AvailableInstanceCount or 0) < nodes then
    return ("has %d of %d free, and %d are needed"):format(r.AvailableInstanceCount or 0, r.TotalInstanceCount or 0, nodes),
      "end what uses it, or take fewer nodes"
  end
end

local function look_at_reservation(self)
  local id = self.options.reservation
  local what = ("the capacity reservation %s serves"):format(id)
  local answer = ask(self, what, function()
    return client(self, "ec2"):DescribeCapacityReservations { CapacityReservationIds = { id } }
  end)
  if not answer then return end
  local r = answer.CapacityReservations[1]
  if not r then fail("usage", "NoReservation", ("%s has no capacity reservation %s"):format(self.region, id), "is the region right?") end
  local problem, hint = reservation_problem(self, r)
  if problem then fail("capacity", "ReservationUnfit", ("the capacity reservation %s %s"):format(id, problem), hint) end
  self.reservation = r
  note(self, true, what, ("%s%s in %s, %d of %d free, %s to %s"):format(r.ReservationType == "capacity-block" and "block, " or "", r.State,
    r.AvailabilityZone, r.AvailableInstanceCount or 0, r.TotalInstanceCount or 0, when(r.StartDate or r.CreateDate), when(r.EndDate)))
end

-- --- all of it -------------------------------------------------------------------------------------------------------

-- A stack that stands holds its VPC and its address, and its subnets stay where they are.
local function look_at_stack(self)
  local name = self.options.stack
  local stack = ask(self, ("the stack '%s' is known"):format(name), function()
    return require("adt.cfn").describe(client(self, "cloudformation"), name) or {}
  end)
  if not stack or not stack.status or stack.status == "REVIEW_IN_PROGRESS" then return end
  self.stands = true
  note(self, true, ("the stack '%s' stands"):format(name), stack.status)
  if #self.zones == 0 and stack.outputs.Zones then
    local zones = {}
    for zone in stack.outputs.Zones:gmatch "[^,]+" do zones[#zones + 1] = zone end
    if not self.options.count or #zones == self.options.count then self.zones = zones end
  end
end

local function look_at_instance(self)
  local it = instances.get(client(self, "ec2"), self.options.instance)
  self.instance = it
  note(self, true, ("%s is known"):format(it.type), ("%d %s, %d EFA interfaces on %d network cards, by %s"):format(it.accelerators,
    it.accelerator or "accelerators", it.efa, it.cards, it.source == "table" and "the built-in table" or it.source))
end

local function look_at_prices(self)
  local wanted = { region = self.region, instance = self.options.instance, nat = (self.options.needs or {}).addresses ~= nil }
  self.prices = ask(self, "the prices are known", prices.get, client(self, "pricing"), wanted)
  for _, price in ipairs(self.prices or {}) do note(self, true, price.what, price.text) end
end

--- Tells whoever watches a recipe what was found; returns itself.
---@param ctx adt.Context
---@return adt.aws.Preflight
function Preflight:tell(ctx)
  for _, f in ipairs(self.findings) do
    ctx:note("%s: %s%s%s", f.what, f.ok == nil and "unknown, " or "", f.evidence, f.hint and " (" .. f.hint .. ")" or "")
  end
  return self
end

--- Asks everything that the options name.
---@param options adt.aws.PreflightOptions
---@return adt.aws.Preflight
--- Raises: usage ("ZoneCount", "ZoneTwice", "ZoneId", "NoZone", "NoInstanceType", "NoReservation"), capacity ("TooFewZones",
--- "NotOffered", "ZoneUnavailable", "ReservationUnfit"), quota "QuotaReached"; what calls raise, but for denied access,
--- which is a finding.
function M.preflight(options)
  errors.check_options("aws.preflight", options, OPTIONS)
  local self = { options = options, clients = {}, findings = {}, zones = { table.unpack(options.zones or {}) }, zone_ids = {} }
  function self.zone_set()
    local set = {}
    for _, name in ipairs(self.zones) do set[name] = true end
    return set
  end
  M.check_zones(self.zones, options.count)
  self.region = client(self, "ec2").region
  if options.stack then look_at_stack(self) end
  if options.instance then look_at_instance(self) end
  look_at_zones(self)
  if options.reservation then look_at_reservation(self) end
  for _, quota in ipairs(QUOTAS) do
    local need = not self.stands and (options.needs or {})[quota.need] or 0
    if need > 0 then look_at_quota(self, quota, need) end
  end
  if options.prices then look_at_prices(self) end
  return setmetatable({ findings = self.findings, region = self.region, zones = self.zones, zone_ids = self.zone_ids,
    instance = self.instance, reservation = self.reservation, prices = self.prices }, Preflight)
end

return M
