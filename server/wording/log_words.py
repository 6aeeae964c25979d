"""What an entry of the log says, by its kind. A kind without words still tells itself."""

from flask_babel import lazy_gettext as _

KINDS = {
    "campaign.acted": _("Action of a campaign"),
    "campaign.closed": _("Campaign closed"),
    "campaign.handed_over": _("Building handed over"),
    "campaign.member": _("Person in a campaign's team"),
    "campaign.planned": _("Campaign planned"),
    "campaign.started": _("Campaign started"),
    "campaign.stop": _("Building in a campaign"),
    "campaign.team": _("Team in a campaign"),
    "checklist.changed": _("List of the eye step changed"),
    "emitter.approved": _("Known device approved"),
    "emitter.withdrawn": _("Known device withdrawn"),
    "facility.changed": _("Site changed"),
    "finding.disposed": _("Finding settled"),
    "finding.raised": _("Camera-like transmission noted"),
    "hole.closed": _("Hole closed"),
    "hole.found": _("Hole found"),
    "hole.remark": _("Remark on a hole"),
    "hole.sticker": _("Hole covered"),
    "hole.ticket": _("Hole reported for repair"),
    "inspection.answered": _("List answered"),
    "inspection.corrected": _("Inspection corrected"),
    "inspection.finished": _("Inspection finished"),
    "inspection.person": _("Person takes part"),
    "inspection.signed": _("Inspection signed"),
    "inspection.started": _("Inspection started"),
    "inspection.step": _("Step recorded"),
    "inspection.offline": _("Written down without a network, handed over later"),
    "inspection.sweep_assigned": _("Sweep given to an inspection"),
    "log.signed": _("Log signed"),
    "organisation.changed": _("Organisation changed"),
    "person.added": _("Person added"),
    "person.disabled": _("Account closed"),
    "person.enabled": _("Account opened again"),
    "person.erased": _("Personal data erased"),
    "person.invited": _("Person invited"),
    "person.password": _("Password changed"),
    "person.places": _("Places of a person changed"),
    "person.recovery_code": _("Recovery code used"),
    "person.role": _("Role changed"),
    "person.second_factor": _("Second factor changed"),
    "person.uninvited": _("Invitation withdrawn"),
    "personal.erased": _("Personal fields forgotten"),
    "photo.removed": _("Photo deleted"),
    "photo.taken": _("Photo kept"),
    "plan.set": _("Plan changed"),
    "restroom.back": _("Restroom in use again"),
    "restroom.changed": _("Restroom changed"),
    "restroom.retired": _("Restroom given up"),
    "restrooms.imported": _("Restrooms imported"),
    "retention.ran": _("Old data deleted"),
    "sensor.enrolled": _("Sensor added"),
    "sensor.keyed": _("Sensor got a new key"),
    "sensor.revoked": _("Sensor withdrawn"),
    "sign.changed": _("Privacy sign changed"),
    "token.made": _("Token made"),
    "token.revoked": _("Token ended"),
}

# What the log's page can be narrowed to: the beginning of kinds, and its words.
GROUPS = {
    "": _("Everything"),
    "inspection.": _("Inspections"),
    "finding.": _("Findings"),
    "person": _("People"),
    "rest": _("Restrooms"),
    "sensor.": _("Sensors"),
    "log.": _("Signatures"),
}


def title(kind: str):
    """The words of a kind."""
    return KINDS.get(kind, kind)
