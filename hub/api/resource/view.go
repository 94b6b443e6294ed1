package resource

// View is a saved view of the fleet.
type View struct {
	Name  string `json:"name" minLength:"1" maxLength:"128" example:"Late in Oslo"`
	Query string `json:"query" maxLength:"4096" doc:"What the console puts behind the ? of its address" example:"group=norway%2Foslo&state=late"`
}

// PutViews replaces all saved views of the account.
type PutViews struct {
	Items []View `json:"items" maxItems:"50" nullable:"false"`
}
