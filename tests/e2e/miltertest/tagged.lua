-- Negotiation, a whole conversation with macros, edits of the header, and the next message over the same connection.
dofile(scripts .. "/common.lua")

local conn = opened()
for _, action in ipairs({ SMFIF_ADDHDRS, SMFIF_CHGHDRS, SMFIF_ADDRCPT, SMFIF_DELRCPT }) do
  need(mt.test_action(conn, action), "an action is not asked for: " .. action)
end
for _, action in ipairs({ SMFIF_CHGBODY, SMFIF_QUARANTINE, SMFIF_CHGFROM }) do
  need(not mt.test_action(conn, action), "an action is asked for: " .. action)
end
need(not mt.test_option(conn, SMFIP_NOBODY), "the body is not wanted")

greeted(conn, "192.0.2.10")
for _ = 1, 2 do
  envelope(conn, "pgdbenluc@longan.edu.vn", { "vanthu@longan.edu.vn", "khach@example.org" })
  content(conn, "pgdbenluc@longan.edu.vn", { { "X-Sending-Unit", " bo-gddt" }, { "X-Other", " 1" } })
  local reply = mt.getreply(conn)
  need(reply == SMFIR_CONTINUE or reply == SMFIR_ACCEPT, "the verdict is " .. tostring(reply))
  need(mt.eom_check(conn, MT_HDRINSERT, "X-Sending-Unit", " pgddt-ben-luc", 0), "the unit is not put on top")
  need(mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results"), "there are no results")
  need(mt.eom_check(conn, MT_HDRDELETE, "X-Sending-Unit"), "the forged field is not deleted")
  need(not mt.eom_check(conn, MT_HDRDELETE, "X-Other"), "a foreign field is deleted")
  for _, path in ipairs({ "<vanthu@longan.edu.vn>", "<khach@example.org>" }) do
    need(not mt.eom_check(conn, MT_RCPTDELETE, path), path .. " is taken off")
  end
  need(not mt.eom_check(conn, MT_QUARANTINE), "QUARANTINE is asked for")
  need(not mt.eom_check(conn, MT_BODYCHANGE), "the body is changed")
end
mt.disconnect(conn)
