--- The suite of targets on this machine.
require("target_suite").suite("local", {
  kind = "local", settings = "", nodes = 1, env = function() return {} end,
  refuses = {
    ['launch = "mpi", cmd = { "true" }'] = 'cannot carry launch = "mpi"',
    ['launch = "external", cmd = { "true" }'] = 'cannot carry launch = "external"',
    ['array = 4, cmd = { "true" }'] = "cannot carry an array",
    ['image = "/x.sqsh", cmd = { "true" }'] = "cannot carry an image",
    ['mounts = { ["/a"] = "/b" }, cmd = { "true" }'] = "cannot carry mounts",
    ['files = "/no/such/folder", cmd = { "true" }'] = "the folder /no/such/folder is not there",
  },
})
