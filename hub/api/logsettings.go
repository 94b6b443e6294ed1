package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/program"
)

type putLogInput struct{ Body resource.LogSettings }

func (s *server) logRoutes() {
	const tag = "Hub"
	add(s, route[struct{}, reply[resource.LogSettings]]{
		Method: http.MethodGet, Path: "/settings/log", ID: "get-log-settings", Tag: tag, Summary: "Show from which level on the hub writes its log",
		Does: access.HubRead, On: onHub[struct{}],
		Run: func(context.Context, *call, *struct{}) (*reply[resource.LogSettings], error) {
			return replyWith(s.logSettings()), nil
		},
	})
	add(s, route[putLogInput, reply[resource.LogSettings]]{
		Method: http.MethodPut, Path: "/settings/log", ID: "put-log-settings", Tag: tag, Summary: "Change from which level on the hub writes its log",
		Description: "At once, and until the hub is started again, which goes by its own setting log-level.",
		Does:        access.HubChange, On: onHub[putLogInput],
		Run: func(_ context.Context, c *call, in *putLogInput) (*reply[resource.LogSettings], error) {
			if err := program.SetLevel(s.LogLevel, in.Body.Level); err != nil {
				return nil, err
			}
			c.detail = "log level " + strings.ToLower(in.Body.Level)
			return replyWith(s.logSettings()), nil
		},
	})
}

func (s *server) logSettings() resource.LogSettings {
	return resource.LogSettings{Level: program.LevelName(s.LogLevel)}
}
