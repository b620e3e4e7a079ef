error({ cause = "usage" })
