package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
)

type putAuditSettingsInput struct {
	IfMatch
	Body resource.PutAuditSettings
}

func (s *server) auditSettingsRoutes() {
	const tag = "Settings"
	add(s, route[struct{}, reply[resource.AuditSettings]]{
		Method: http.MethodGet, Path: "/settings/audit", ID: "get-audit-settings", Tag: tag, Summary: "See how much of the audit trail is kept",
		Does: access.HubRead, On: onAuditSettings[struct{}],
		Run: func(context.Context, *call, *struct{}) (*reply[resource.AuditSettings], error) {
			return replyWith(s.auditSettings()), nil
		},
	})
	add(s, route[putAuditSettingsInput, reply[resource.AuditSettings]]{
		Method: http.MethodPut, Path: "/settings/audit", ID: "put-audit-settings", Tag: tag, Summary: "Say how much of the audit trail is kept",
		Description: "What is past its age or more than fits is removed in whole files, from the beginning. What a destination has not " +
			"got yet is not removed for its age.",
		Does: access.HubChange, On: onAuditSettings[putAuditSettingsInput],
		Run: func(_ context.Context, c *call, in *putAuditSettingsInput) (*reply[resource.AuditSettings], error) {
			if err := s.expect(Expect{IfMatch: in.IfMatch}, c.on).meets(retentionEtag(s.Trail.Retention())); err != nil {
				return nil, err
			}
			r := audit.Retention{Days: in.Body.Days, Bytes: int64(in.Body.Megabytes) << 20}
			c.detail = fmt.Sprintf("keep %d days, %d MB", in.Body.Days, in.Body.Megabytes)
			if err := s.Trail.SetRetention(r); err != nil {
				return nil, err
			}
			return replyWith(s.auditSettings()), nil
		},
	})
}

func onAuditSettings[I any](*call, *I) (access.Resource, error) {
	return access.Resource{Kind: "settings", ID: "audit"}, nil
}

func retentionEtag(r audit.Retention) string { return etagOf(r) }

func (s *server) auditSettings() resource.AuditSettings {
	r, u := s.Trail.Retention(), s.Trail.Usage()
	return resource.AuditSettings{
		Days: r.Days, Megabytes: int(r.Bytes >> 20), Etag: retentionEtag(r), HubKey: s.Trail.HubKey(),
		First: u.First, Last: u.Last, Since: u.Since.UTC(), Bytes: uint64(u.Bytes),
	}
}
