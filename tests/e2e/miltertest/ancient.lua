-- A mail server that speaks version 2 or cannot delete a recipient is no use: the gateway says so in its log and leaves.
dofile(scripts .. "/common.lua")

local conn = mt.connect("unix:" .. door)
need(mt.negotiate(conn, 2, nil, nil) ~= nil, "version 2 is taken")
mt.disconnect(conn, false)
conn = mt.connect("unix:" .. door)
need(mt.negotiate(conn, 6, SMFIF_ADDHDRS + SMFIF_CHGHDRS, nil) ~= nil, "a server without DELRCPT is taken")
mt.disconnect(conn, false)
greeted(opened(), "192.0.2.10")
